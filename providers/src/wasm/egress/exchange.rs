//! One request and its answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::{Method, Request, Response, Uri, uri};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tracing::Level;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody};

use super::allow::{Host, Permission, Refusal};
use super::{Denied, Inner};

/// Sends what is allowed, and reads the whole answer before the plugin sees any of it.
pub(super) async fn exchange(
    inner: &Inner,
    request: Request<WasiBody>,
    options: Option<RequestOptions>,
) -> Result<Response<WasiBody>, Error> {
    let target = Target::of(&request, inner).map_err(|denied| inner.deny(&denied))?;
    inner.counts.requests.fetch_add(1, Ordering::Relaxed);
    // A plugin may be less patient than the host, never more.
    let first = options.and_then(|options| options.first_byte_timeout);
    let patience = first.map_or(inner.limits.timeout, |wish| {
        wish.saturating_mul(2).min(inner.limits.timeout)
    });
    let connect = options.and_then(|options| options.connect_timeout);
    let connect = connect.unwrap_or(patience).min(patience);
    let whole = async {
        let stream = tokio::time::timeout(connect, target.connect(inner))
            .await
            .unwrap_or(Err(Error::ConnectionTimeout))?;
        if target.secure {
            let stream = target.secured(stream, inner).await?;
            converse(stream, request, inner).await
        } else {
            converse(stream, request, inner).await
        }
    };
    let answer = tokio::time::timeout(patience, whole).await;
    answer
        .unwrap_or(Err(Error::HttpResponseTimeout))
        .map_err(|error| target.failed(error, inner))
}

/// Where a request goes.
struct Target {
    host: Host,
    port: u16,
    secure: bool,
    permission: Permission,
}

impl Target {
    /// Refuses what no entry allows.
    fn of(request: &Request<WasiBody>, inner: &Inner) -> Result<Self, Denied> {
        let method = request.method();
        // A tunnel would lead anywhere; TRACE answers with the headers that it was sent.
        if matches!(*method, Method::CONNECT | Method::TRACE) {
            return Err(Denied::Method {
                method: method.to_string(),
            });
        }
        let authority = request.uri().authority().ok_or(Denied::Url)?;
        let secure = match request.uri().scheme() {
            Some(scheme) if *scheme == uri::Scheme::HTTPS => true,
            Some(scheme) if *scheme == uri::Scheme::HTTP => false,
            _ => return Err(Denied::Url),
        };
        if authority.as_str().contains('@') {
            return Err(Denied::Url);
        }
        let port = match port_of(authority) {
            Some(port) => port?,
            None if secure => 443,
            None => 80,
        };
        let found = inner.allow.find(authority.host(), port);
        let (host, permission) = found.map_err(|refusal| match refusal {
            Refusal::NoHost => Denied::Url,
            Refusal::NotListed => Denied::NotListed {
                authority: format!("{}:{port}", authority.host()),
            },
        })?;
        Ok(Self {
            host,
            port,
            secure,
            permission,
        })
    }

    /// Connects to the first of the host's addresses that is allowed and answers.
    async fn connect(&self, inner: &Inner) -> Result<TcpStream, Error> {
        let addresses = match &self.host {
            Host::Address(address) => vec![*address],
            Host::Name(name) => {
                let found = (inner.resolver)(name.clone()).await;
                found.map_err(|_reason| Error::DestinationNotFound)?
            }
        };
        let Some(first) = addresses.first().copied() else {
            return Err(Error::DestinationNotFound);
        };
        let allowed: Vec<IpAddr> = addresses
            .into_iter()
            .filter(|address| self.permission.covers(*address))
            .take(MOST_ADDRESSES)
            .collect();
        if allowed.is_empty() {
            return Err(inner.deny(&Denied::Address {
                host: self.host.to_string(),
                port: self.port,
                address: first.to_canonical(),
            }));
        }
        let mut last = Error::ConnectionRefused;
        for address in allowed {
            match TcpStream::connect(SocketAddr::new(address, self.port)).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Error::Connect(error),
            }
        }
        Err(last)
    }

    /// What the plugin is told, in the words that wasi:http has for it; the operator, who may
    /// know more, reads all of it in the log.
    fn failed(&self, error: Error, inner: &Inner) -> Error {
        if let Error::DestinationIpProhibited = error {
            // That has been said.
            return error;
        }
        let (host, port) = (&self.host, self.port);
        let text = format!("HTTP request to {host}:{port} failed: {error}");
        inner.log.write(Level::WARN, &text);
        match error {
            Error::Connect(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
                io::ErrorKind::TimedOut => Error::ConnectionTimeout,
                _ => Error::DestinationUnavailable,
            },
            Error::Hyper(error) if error.is_parse() || error.is_parse_too_large() => {
                Error::HttpProtocolError
            }
            Error::Hyper(_) => Error::ConnectionTerminated,
            Error::Tls(error) => match error.get_ref().and_then(|cause| cause.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_)) => Error::TlsCertificateError,
                _ => Error::TlsProtocolError,
            },
            other => other,
        }
    }

    async fn secured(
        &self,
        stream: TcpStream,
        inner: &Inner,
    ) -> Result<tokio_rustls::client::TlsStream<TcpStream>, Error> {
        let name = match &self.host {
            Host::Address(address) => ServerName::from(*address),
            Host::Name(name) => ServerName::try_from(name.clone())
                .map_err(|_reason| Error::HttpRequestUriInvalid)?,
        };
        let config = inner.tls.as_ref().ok_or(Error::ConfigurationError)?;
        let connector = TlsConnector::from(Arc::clone(config));
        connector.connect(name, stream).await.map_err(Error::Tls)
    }
}

/// The port that is named, if any; a port that is none is no way to the default one.
fn port_of(authority: &uri::Authority) -> Option<Result<u16, Denied>> {
    let after = authority.as_str().strip_prefix(authority.host())?;
    let digits = after.strip_prefix(':')?;
    let named = digits.parse().ok().filter(|port| *port != 0);
    Some(named.ok_or(Denied::Url))
}

/// One request on a connection of its own.
async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    request: Request<WasiBody>,
    inner: &Inner,
) -> Result<Response<WasiBody>, Error> {
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(MOST_HEADER_BYTES)
        .max_headers(MOST_HEADERS)
        .handshake(TokioIo::new(stream))
        .await?;
    let _driver = Driver(tokio::spawn(async move {
        // Its errors reach whoever waits for the answer.
        drop(connection.await);
    }));
    let (mut parts, body) = request.into_parts();
    let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    // The authority stands in the Host header; a server is asked for the path alone.
    parts.uri = path
        .parse::<Uri>()
        .map_err(|_reason| Error::HttpRequestUriInvalid)?;
    let most = inner.limits.request_bytes;
    let body =
        Limited::new(body, most).map_err(|error| too_long(error, Error::HttpRequestBodySize));
    // hyper wants an error that can be shared among threads, and loses its kind anyway.
    let body = body.map_err(|error| error.to_string());
    let request = Request::from_parts(parts, body.boxed_unsync());
    let answer = sender.send_request(request).await?;
    read(answer, inner.limits.response_bytes).await
}

async fn read(answer: Response<Incoming>, most: usize) -> Result<Response<WasiBody>, Error> {
    let (parts, body) = answer.into_parts();
    let body = Limited::new(body, most).collect().await.map_err(|error| {
        match error.downcast::<hyper::Error>() {
            Ok(error) => Error::Hyper(*error),
            Err(_too_long) => Error::HttpResponseBodySize(u64::try_from(most).ok()),
        }
    })?;
    let body = Full::<Bytes>::new(body.to_bytes()).map_err(Error::from);
    Ok(Response::from_parts(parts, body.boxed_unsync()))
}

fn too_long(
    error: Box<dyn std::error::Error + Send + Sync>,
    kind: fn(Option<u64>) -> Error,
) -> Error {
    if error.is::<LengthLimitError>() {
        return kind(None);
    }
    error
        .downcast::<Error>()
        .map_or(Error::InternalError(None), |error| *error)
}

/// Drives a connection until whoever needs it is gone.
struct Driver(tokio::task::JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Of one name: there is no time for more.
const MOST_ADDRESSES: usize = 8;
const MOST_HEADER_BYTES: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
