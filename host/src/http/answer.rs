//! Answers: what handlers give back, and how it reaches the wire.

use std::io::Write as _;
use std::time::Duration;

use bytes::Bytes;
use chancery_core::Revision;
use flate2::write::GzEncoder;
use flate2::{Compression, Crc};
use http::header::{
    ACCEPT_ENCODING, AGE, ALLOW, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName,
    HeaderValue, LOCATION, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::ApiError;
use super::json::{self, Style};
use super::params::Consistency;

const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-consul-lastcontact");
const CONSISTENCY: HeaderName = HeaderName::from_static("x-consul-effective-consistency");
const BUNDLE_MAX_AGE: HeaderName = HeaderName::from_static("x-chancery-bundle-max-age");
const CACHE: HeaderName = HeaderName::from_static("x-cache");

/// What is sent back for a request.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    /// 200 and nothing else.
    pub(crate) fn empty() -> Self {
        Self::bare(StatusCode::OK)
    }

    /// A status without a body.
    pub(crate) fn bare(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// 200 with a JSON body.
    ///
    /// # Errors
    /// Only if the value has no JSON form, which none of ours lacks.
    pub(crate) fn json<T: Serialize + ?Sized>(value: &T, style: Style) -> Result<Self, ApiError> {
        Ok(Self::of_type("application/json", render(value, style)?))
    }

    /// As [`json`](Self::json), for a body with a secret: it is wiped once it is sent.
    pub(crate) fn secret_json<T: Serialize + ?Sized>(
        value: &T,
        style: Style,
    ) -> Result<Self, ApiError> {
        let body = Zeroizing::new(render(value, style)?);
        Ok(Self::of_type("application/json", Bytes::from_owner(body)))
    }

    /// 200 with a body of some type.
    pub(crate) fn of_type(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty();
        answer.body = body.into();
        answer.with(CONTENT_TYPE, HeaderValue::from_static(content_type))
    }

    /// 301 with the small page that Go sends.
    pub(crate) fn moved(location: &str, has_body: bool) -> Self {
        let mut answer = Self::bare(StatusCode::MOVED_PERMANENTLY);
        if has_body {
            let page = format!(
                "<a href=\"{}\">Moved Permanently</a>.\n\n",
                html_escaped(location)
            );
            answer = Self::of_type("text/html; charset=utf-8", page);
            answer.status = StatusCode::MOVED_PERMANENTLY;
        }
        match HeaderValue::from_str(location) {
            Ok(value) => answer.with(LOCATION, value),
            Err(_) => Self::bare(StatusCode::BAD_REQUEST),
        }
    }

    /// 200 for `OPTIONS`.
    pub(crate) fn options(allow: &str) -> Self {
        Self::empty().with_allow(allow)
    }

    /// 405.
    pub(crate) fn method_not_allowed(method: &http::Method, allow: &str) -> Self {
        let text = format!("method {method} not allowed");
        Self::from(ApiError::new(StatusCode::METHOD_NOT_ALLOWED, text)).with_allow(allow)
    }

    /// The same with another status.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }

    /// The same with a header.
    pub(crate) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same with the index, and the words about the leader: it is known, and it is us.
    pub(crate) fn with_index(self, index: Revision) -> Self {
        self.with(INDEX, index.number().max(1).into())
            .with(KNOWN_LEADER, HeaderValue::from_static("true"))
            .with(LAST_CONTACT, HeaderValue::from_static("0"))
    }

    /// The same with the index alone, as leafs have it.
    pub(crate) fn with_bare_index(self, index: u64) -> Self {
        self.with(INDEX, index.max(1).into())
    }

    /// The same with how old a bundle may get, in seconds: whoever holds these roots must not go
    /// on with them once they were last confirmed longer ago than that.
    pub(crate) fn with_bundle_max_age(self, age: Duration) -> Self {
        self.with(BUNDLE_MAX_AGE, age.as_secs().max(1).into())
    }

    /// The same with the consistency that was asked for.
    pub(crate) fn with_consistency(self, consistency: Consistency) -> Self {
        self.with(CONSISTENCY, HeaderValue::from_static(consistency.as_str()))
    }

    /// The same, said to come from memory since `age` seconds, or not (`None`).
    pub(crate) fn with_cache(self, age: Option<u64>) -> Self {
        match age {
            Some(age) => self
                .with(CACHE, HeaderValue::from_static("HIT"))
                .with(AGE, age.into()),
            None => self.with(CACHE, HeaderValue::from_static("MISS")),
        }
    }

    fn with_allow(self, allow: &str) -> Self {
        match HeaderValue::from_str(allow) {
            Ok(value) => self.with(ALLOW, value),
            Err(_) => self,
        }
    }

    /// An answer of an endpoint. `gzip` says whether the client takes a compressed body; then it
    /// gets one, however small, as from Consul.
    pub(crate) fn encoded(mut self, gzip: bool) -> Self {
        let headers = &mut self.headers;
        headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        if gzip
            && !self.body.is_empty()
            && let Some(compressed) = compress(&self.body)
        {
            self.body = compressed;
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        self
    }

    /// As hyper sends it.
    pub(crate) fn into_response(mut self) -> Response<Full<Bytes>> {
        let headers = &mut self.headers;
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        let mut response = Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

impl From<ApiError> for Answer {
    fn from(error: ApiError) -> Self {
        let mut answer = Self::of_type("text/plain; charset=utf-8", error.text);
        answer.status = error.status;
        if error.has_meta {
            return answer
                .with_bare_index(1)
                .with(KNOWN_LEADER, HeaderValue::from_static("false"))
                .with(LAST_CONTACT, HeaderValue::from_static("0"));
        }
        answer
    }
}

/// Whether a client takes gzip (RFC 9110 §12.5.3; `*` is not taken for it, as Consul does not).
pub(crate) fn accepts_gzip(headers: &HeaderMap) -> bool {
    headers
        .get_all(ACCEPT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|coding| {
            let mut parts = coding.split(';').map(str::trim);
            let is_gzip = parts
                .next()
                .is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
            let refused = parts
                .filter_map(|part| part.strip_prefix("q="))
                .any(|quality| quality.parse::<f32>().is_ok_and(|quality| quality <= 0.0));
            is_gzip && !refused
        })
}

fn render<T: Serialize + ?Sized>(value: &T, style: Style) -> Result<Vec<u8>, ApiError> {
    json::to_vec(value, style).map_err(|error| ApiError::internal(error.to_string()))
}

fn compress(body: &[u8]) -> Option<Bytes> {
    if let Some(length) = u16::try_from(body.len())
        .ok()
        .filter(|length| *length <= STORED_BYTES)
    {
        return Some(stored(body, length));
    }
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 2), Compression::fast());
    encoder.write_all(body).ok()?;
    encoder.finish().ok().map(Bytes::from)
}

/// Bodies up to this size are packed without compressing them: a compressor's tables cost far
/// more to set up than a packet has bytes, and Go's clients ask for gzip on every small request.
const STORED_BYTES: u16 = 1_024;

/// A gzip file of one stored block (RFC 1952 §2.3, RFC 1951 §3.2.4).
fn stored(body: &[u8], length: u16) -> Bytes {
    const HEAD: [u8; 11] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 1];
    let mut checksum = Crc::new();
    checksum.update(body);
    let mut file = Vec::with_capacity(body.len() + 23);
    file.extend_from_slice(&HEAD);
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&(!length).to_le_bytes());
    file.extend_from_slice(body);
    file.extend_from_slice(&checksum.sum().to_le_bytes());
    file.extend_from_slice(&u32::from(length).to_le_bytes());
    file.into()
}

fn html_escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&#34;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let accepts = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(value));
            accepts_gzip(&headers)
        };
        for yes in ["gzip", "deflate, GZIP;q=0.5", "br, gzip;q=1.0"] {
            assert!(accepts(yes), "{yes}");
        }
        for no in ["", "identity", "gzip;q=0", "deflate", "gzip;q=0.0, br"] {
            assert!(!accepts(no), "{no}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }

    #[test]
    fn packed_bodies_of_any_size_are_unpacked_to_themselves() {
        let limit = usize::from(STORED_BYTES);
        for length in [1, 13, limit, limit + 1, 200_000] {
            let body: Vec<u8> = (0..length).map(|place| (place % 251) as u8).collect();
            let packed = compress(&body).unwrap();
            let mut unpacked = Vec::new();
            flate2::read::GzDecoder::new(packed.as_ref())
                .read_to_end(&mut unpacked)
                .unwrap();
            assert_eq!(unpacked, body, "{length}");
        }
    }

    #[test]
    fn every_answer_forbids_sniffing() {
        let response = Answer::from(ApiError::internal("<script>"))
            .encoded(false)
            .into_response();
        assert_eq!(response.status(), 500);
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(header("vary"), "Accept-Encoding");
    }
}
