//! Why an agent gives no good answer, in the words of Consul's own client.

use std::error::Error as _;
use std::io::ErrorKind;

use http::StatusCode;

/// Why there is no good answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address cannot be used.
    #[error("cannot use the address {found:?}: {reason}")]
    BadAddress {
        /// The address as given.
        found: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The token has bytes that no header may have.
    #[error("the token has characters that a header cannot carry")]
    BadToken,
    /// The answer is not the JSON that was expected.
    #[error("{0}")]
    Json(serde_json::Error),
    /// The agent refused.
    #[error("Unexpected response code: {} ({body})", status.as_u16())]
    Status {
        /// The status.
        status: StatusCode,
        /// What it said.
        body: String,
    },
    /// What https takes cannot be used.
    #[error("cannot use TLS: {0}")]
    Tls(String),
    /// The answer is longer than anything that is asked for.
    #[error("the answer is longer than {allowed} bytes")]
    TooLong {
        /// The longest answer that is read.
        allowed: usize,
    },
    /// No answer.
    #[error("{method} \"{url}\": {reason}")]
    Transport {
        /// The method as Go writes it.
        method: String,
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The HTTP library does not start.
    #[error("cannot start an HTTP client: {0}")]
    Unusable(String),
}

impl ClientError {
    /// The status of an answer that was not good.
    #[must_use]
    pub const fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The reason as Go's dialler says it where that is common, else the innermost cause.
pub(super) fn reason(error: &reqwest::Error) -> String {
    let mut cause = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>();
        if error.is_connect()
            && io.is_some_and(|io| io.kind() == ErrorKind::ConnectionRefused)
            && let Some(url) = error.url()
        {
            let host = url.host_str().unwrap_or_default();
            let port = url.port_or_known_default().unwrap_or_default();
            return format!("dial tcp {host}:{port}: connect: connection refused");
        }
        cause = inner.source();
    }
    root_cause(error)
}

pub(super) fn root_cause(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    text
}
