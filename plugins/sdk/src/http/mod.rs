//! Requests to a CA elsewhere, one at a time.
//!
//! Only the hosts that the operator names in `allow_http` can be reached. TLS is the agent's
//! affair, and no redirect is followed.
//!
//! ```no_run
//! use chancery_plugin::{Error, http};
//!
//! fn ask(token: &str) -> Result<String, Error> {
//!     let answer = http::Request::post("https://ca.example.com/v1/sign")
//!         .header("authorization", &format!("Bearer {token}"))
//!         .header("content-type", "application/json")
//!         .body(r#"{ "csr": "…" }"#)
//!         .send()?;
//!     match answer.status() {
//!         200 => answer.text(),
//!         other => Err(Error::unavailable(format!("the CA answered {other}"))),
//!     }
//! }
//! ```

#[cfg(target_family = "wasm")]
mod wasi;

#[cfg(target_family = "wasm")]
use self::wasi::send;
#[cfg(not(target_family = "wasm"))]
use crate::testing::imports::send;

use std::fmt;
use std::time::Duration;

use crate::Error;

/// What to ask, and of whom.
#[derive(Clone)]
pub struct Request {
    pub(crate) method: Method,
    pub(crate) url: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) timeout: Duration,
    pub(crate) max_body: usize,
}

/// What is done with what the URL names.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// DELETE
    Delete,
    /// GET
    Get,
    /// HEAD
    Head,
    /// PATCH
    Patch,
    /// POST
    Post,
    /// PUT
    Put,
    /// Another, such as Vault's LIST.
    Other(String),
}

impl Request {
    /// That method on that URL, which is `http` or `https`.
    pub fn new(method: Method, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: TIMEOUT,
            max_body: MAX_BODY,
        }
    }

    /// [`Method::Get`].
    pub fn get(url: impl Into<String>) -> Self {
        Self::new(Method::Get, url)
    }

    /// [`Method::Post`].
    pub fn post(url: impl Into<String>) -> Self {
        Self::new(Method::Post, url)
    }

    /// [`Method::Put`].
    pub fn put(url: impl Into<String>) -> Self {
        Self::new(Method::Put, url)
    }

    /// [`Method::Delete`].
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new(Method::Delete, url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.as_ref().to_vec()));
        self
    }

    /// The body; empty otherwise.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// How long to wait for the connection, and as long again for the whole answer; two seconds
    /// otherwise, so that within the five that a call usually has there is time to say who did
    /// not answer. The host ends the whole call after its own time anyhow.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The longest body that is read, in bytes; 1 MiB otherwise. The host has a limit too.
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = bytes;
        self
    }

    /// What it asks for.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// Of whom.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The header of that name, if it was added and is text.
    #[must_use]
    pub fn header_value(&self, name: &str) -> Option<&str> {
        text_of(&self.headers, name)
    }

    /// The body.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.body
    }

    /// Sends it and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// See [`HttpError`], which becomes an [`Error`] of the right kind by `?`.
    pub fn send(&self) -> Result<Response, HttpError> {
        send(self)
    }
}

/// No headers and no body: they may hold secrets.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Delete => "DELETE",
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Patch => "PATCH",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Other(name) => name,
        })
    }
}

/// What came back.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// An answer, for tests.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// Adds a header, for tests.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers
            .push((name.to_ascii_lowercase(), value.as_ref().to_vec()));
        self
    }

    /// The status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.status
    }

    /// The header of that name, if it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        text_of(&self.headers, name)
    }

    /// How long to wait by the header `Retry-After`, if it says so in seconds.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = self.header("retry-after")?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`Broken`](crate::ErrorKind::Broken) if it is not UTF-8.
    pub fn text(self) -> Result<String, Error> {
        String::from_utf8(self.body).map_err(|error| {
            Error::broken(format!("the answer is no text: {}", error.utf8_error()))
        })
    }
}

/// No headers and no body: they may hold secrets.
impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} bytes", self.status, self.body.len())
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// The operator has not named this host in `allow_http`.
    Denied {
        /// Host and port, as they must stand there.
        authority: String,
    },
    /// This is no `http` or `https` URL, or a header cannot be sent.
    Malformed(String),
    /// What the server says is no HTTP.
    NoHttp {
        /// Host and port.
        authority: String,
    },
    /// The answer is longer than what was allowed.
    TooLong {
        /// How many bytes were.
        allowed: usize,
    },
    /// The name leads to an address that is not public, and the operator has named no network.
    Private {
        /// Host and port.
        authority: String,
    },
    /// The call has sent as many requests as one may.
    TooMany,
    /// The server cannot be reached, broke off, or took too long.
    Unreachable {
        /// Host and port.
        authority: String,
        /// What the host says about it.
        reason: String,
    },
    /// The server's certificate is not one that the host trusts.
    Untrusted {
        /// Host and port.
        authority: String,
    },
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied { authority } => write!(
                f,
                "{authority} may not be reached: add it to allow_http in the configuration"
            ),
            Self::Malformed(what) => f.write_str(what),
            Self::NoHttp { authority } => write!(f, "{authority} does not speak HTTP"),
            Self::TooLong { allowed } => {
                write!(
                    f,
                    "the answer is too long: at most {allowed} bytes are read"
                )
            }
            Self::Private { authority } => write!(
                f,
                "{authority} leads to an address that is not public: allow_http in the \
                 configuration must name its network, as in {authority}@10.0.0.0/8"
            ),
            Self::TooMany => f.write_str("the call has sent as many requests as one may"),
            Self::Unreachable { authority, reason } => {
                write!(f, "{authority} cannot be reached: {reason}")
            }
            Self::Untrusted { authority } => write!(
                f,
                "the certificate of {authority} is not trusted: it must be for that name, and of a \
                 CA in http_ca_file or, without that, of one that the system trusts"
            ),
        }
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for Error {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            HttpError::Denied { .. }
            | HttpError::Malformed(_)
            | HttpError::Private { .. }
            | HttpError::Untrusted { .. } => Self::misconfigured(message),
            HttpError::NoHttp { .. } | HttpError::TooLong { .. } | HttpError::TooMany => {
                Self::broken(message)
            }
            HttpError::Unreachable { .. } => Self::unavailable(message),
        }
    }
}

/// A URL in the parts that a request needs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Url<'a> {
    pub(crate) https: bool,
    pub(crate) authority: &'a str,
    pub(crate) path: String,
}

impl<'a> Url<'a> {
    pub(crate) fn parse(url: &'a str) -> Result<Self, HttpError> {
        let (https, rest) = if let Some(rest) = url.strip_prefix("https://") {
            (true, rest)
        } else if let Some(rest) = url.strip_prefix("http://") {
            (false, rest)
        } else {
            return Err(malformed(url, "it must begin with http:// or https://"));
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if authority.is_empty() || authority.contains('@') {
            return Err(malformed(url, "it must name a host and no user"));
        }
        let path = path.split_once('#').map_or(path, |(before, _)| before);
        let path = if path.starts_with('/') {
            path.to_owned()
        } else {
            format!("/{path}")
        };
        Ok(Self {
            https,
            authority,
            path,
        })
    }
}

fn malformed(url: &str, must: &str) -> HttpError {
    HttpError::Malformed(format!("{url:?} is no usable URL: {must}"))
}

fn text_of<'a>(headers: &'a [(String, Vec<u8>)], name: &str) -> Option<&'a str> {
    let mut headers = headers.iter();
    let (_, value) = headers.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    str::from_utf8(value).ok()
}

const TIMEOUT: Duration = Duration::from_secs(2);
const MAX_BODY: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart() {
        for (url, https, authority, path) in [
            ("http://a", false, "a", "/"),
            ("https://a:8200/v1/x?y=z", true, "a:8200", "/v1/x?y=z"),
            ("https://a?y=z#part", true, "a", "/?y=z"),
            ("http://[::1]:80/", false, "[::1]:80", "/"),
        ] {
            let path = path.to_owned();
            assert_eq!(
                Url::parse(url),
                Ok(Url {
                    https,
                    authority,
                    path
                })
            );
        }
    }

    #[test]
    fn another_scheme_and_a_user_are_refused() {
        for url in ["", "a:8200", "ftp://a", "http://", "https://u:p@a/"] {
            assert!(
                matches!(Url::parse(url), Err(HttpError::Malformed(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_denied_is_for_the_operator_and_what_is_away_comes_back() {
        let authority = "ca.example.com:443".to_owned();
        let denied = HttpError::Denied {
            authority: authority.clone(),
        };
        let untrusted = HttpError::Untrusted {
            authority: authority.clone(),
        };
        let babbles = HttpError::NoHttp {
            authority: authority.clone(),
        };
        let away = HttpError::Unreachable {
            authority,
            reason: "connection refused".to_owned(),
        };
        let kind = |error: HttpError| Error::from(error).kind();
        assert_eq!(kind(untrusted), crate::ErrorKind::Misconfigured);
        assert_eq!(kind(babbles), crate::ErrorKind::Broken);
        assert_eq!(kind(HttpError::TooMany), crate::ErrorKind::Broken);
        assert_eq!(kind(denied), crate::ErrorKind::Misconfigured);
        assert_eq!(kind(away), crate::ErrorKind::Unavailable);
    }
}
