//! Requests by `wasi:http`.

use wasip2::http::outgoing_handler::handle;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method as WasiMethod, OutgoingBody,
    OutgoingRequest, RequestOptions, Scheme,
};
use wasip2::io::streams::StreamError;

use super::{HttpError, Method, Request, Response, Url};

/// As much as one write may take.
const PIECE: usize = 4096;

pub(super) fn send(request: &Request) -> Result<Response, HttpError> {
    let url = Url::parse(&request.url)?;
    let exchange = Exchange {
        request,
        authority: url.authority,
    };
    let outgoing = exchange.head(&url)?;
    let body = outgoing
        .body()
        .map_err(|()| exchange.unreachable("its body cannot be opened"))?;
    let options = exchange.options();
    let pending = handle(outgoing, Some(options)).map_err(|code| exchange.failed(&code))?;
    exchange.write(body)?;
    pending.subscribe().block();
    let answer = pending
        .get()
        .and_then(Result::ok)
        .ok_or_else(|| exchange.unreachable("there is no answer"))?
        .map_err(|code| exchange.failed(&code))?;
    exchange.read(&answer)
}

struct Exchange<'a> {
    request: &'a Request,
    authority: &'a str,
}

impl Exchange<'_> {
    fn head(&self, url: &Url<'_>) -> Result<OutgoingRequest, HttpError> {
        let mut headers = self.request.headers.clone();
        let has_length = headers.iter().any(|(name, _)| name == "content-length");
        let mute = matches!(self.request.method, Method::Get | Method::Head);
        // Without a length the host would send pieces, which some servers do not take.
        if !has_length && !(mute && self.request.body.is_empty()) {
            let length = self.request.body.len().to_string();
            headers.push(("content-length".to_owned(), length.into_bytes()));
        }
        let fields = Fields::from_list(&headers)
            .map_err(|error| HttpError::Malformed(format!("a header cannot be sent: {error}")))?;
        let outgoing = OutgoingRequest::new(fields);
        let scheme = if url.https {
            Scheme::Https
        } else {
            Scheme::Http
        };
        outgoing
            .set_method(&method(&self.request.method))
            .and_then(|()| outgoing.set_scheme(Some(&scheme)))
            .and_then(|()| outgoing.set_authority(Some(url.authority)))
            .and_then(|()| outgoing.set_path_with_query(Some(&url.path)))
            .map_err(|()| HttpError::Malformed(format!("{:?} cannot be sent", self.request)))?;
        Ok(outgoing)
    }

    fn options(&self) -> RequestOptions {
        let options = RequestOptions::new();
        let nanos = u64::try_from(self.request.timeout.as_nanos()).unwrap_or(u64::MAX);
        // A host that knows no such limit has its own.
        let _ = options.set_connect_timeout(Some(nanos));
        let _ = options.set_first_byte_timeout(Some(nanos));
        let _ = options.set_between_bytes_timeout(Some(nanos));
        options
    }

    fn write(&self, body: OutgoingBody) -> Result<(), HttpError> {
        if !self.request.body.is_empty() {
            let stream = body
                .write()
                .map_err(|()| self.unreachable("its body cannot be written"))?;
            for piece in self.request.body.chunks(PIECE) {
                // A server may answer before it has read everything: then the answer counts.
                if stream.blocking_write_and_flush(piece).is_err() {
                    return Ok(());
                }
            }
        }
        OutgoingBody::finish(body, None).map_err(|code| self.failed(&code))
    }

    fn read(&self, answer: &IncomingResponse) -> Result<Response, HttpError> {
        let mut response = Response {
            status: answer.status(),
            headers: answer.headers().entries(),
            body: Vec::new(),
        };
        let body = answer
            .consume()
            .map_err(|()| self.unreachable("its answer cannot be read"))?;
        let stream = body
            .stream()
            .map_err(|()| self.unreachable("its answer cannot be read"))?;
        loop {
            match stream.blocking_read(64 * 1024) {
                Ok(piece) => response.body.extend_from_slice(&piece),
                Err(StreamError::Closed) => break,
                Err(StreamError::LastOperationFailed(error)) => {
                    return Err(self.unreachable(&error.to_debug_string()));
                }
            }
            if response.body.len() > self.request.max_body {
                return Err(HttpError::TooLong {
                    allowed: self.request.max_body,
                });
            }
        }
        drop(stream);
        drop(IncomingBody::finish(body));
        Ok(response)
    }

    fn failed(&self, code: &ErrorCode) -> HttpError {
        let authority = self.authority.to_owned();
        let reason = match code {
            ErrorCode::HttpRequestDenied => return HttpError::Denied { authority },
            ErrorCode::DestinationIpProhibited => return HttpError::Private { authority },
            ErrorCode::HttpResponseBodySize(_) => {
                return HttpError::TooLong {
                    allowed: self.request.max_body,
                };
            }
            ErrorCode::ConnectionLimitReached => return HttpError::TooMany,
            ErrorCode::HttpProtocolError => return HttpError::NoHttp { authority },
            ErrorCode::TlsCertificateError => return HttpError::Untrusted { authority },
            ErrorCode::ConnectionRefused => "it refuses connections",
            ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => "it broke off",
            ErrorCode::ConnectionTimeout => "there was no connection in time",
            ErrorCode::DestinationNotFound | ErrorCode::DnsError(_) => "nobody knows its name",
            ErrorCode::DestinationUnavailable => "there is no way to it",
            ErrorCode::HttpResponseTimeout => "it did not answer in time",
            ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => "TLS failed",
            other => return self.unreachable(&other.to_string()),
        };
        self.unreachable(reason)
    }

    fn unreachable(&self, reason: &str) -> HttpError {
        HttpError::Unreachable {
            authority: self.authority.to_owned(),
            reason: reason.to_owned(),
        }
    }
}

fn method(method: &Method) -> WasiMethod {
    match method {
        Method::Delete => WasiMethod::Delete,
        Method::Get => WasiMethod::Get,
        Method::Head => WasiMethod::Head,
        Method::Patch => WasiMethod::Patch,
        Method::Post => WasiMethod::Post,
        Method::Put => WasiMethod::Put,
        Method::Other(name) => WasiMethod::Other(name.clone()),
    }
}
