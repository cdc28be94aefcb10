//! What went wrong with one call, and what that means for whoever asked for it.

use std::fmt;
use std::time::Duration;

use super::redact::redact;
use crate::{ErrorKind, ProviderError};

/// A call that did not give what was wanted.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) method: String,
    pub(super) url: String,
    /// From the namespace on, without `/v1/`.
    pub(super) path: String,
    pub(super) cause: Cause,
}

#[derive(Clone, Debug)]
pub(super) enum Cause {
    /// What came back is not what this call answers with.
    Garbage(&'static str),
    /// The server refused or failed.
    Status {
        code: u16,
        errors: Vec<String>,
        retry_after: Option<Duration>,
    },
    /// Nothing came back.
    Unreachable(String),
}

impl Failure {
    pub(super) const fn code(&self) -> Option<u16> {
        match self.cause {
            Cause::Status { code, .. } => Some(code),
            Cause::Garbage(_) | Cause::Unreachable(_) => None,
        }
    }

    /// Whether the server said that it lacks a right.
    pub(super) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// Whether the server said that nothing is there.
    pub(super) fn is_absent(&self) -> bool {
        self.code() == Some(404)
    }

    /// Whether no engine is mounted where the call went.
    pub(super) fn is_unmounted(&self) -> bool {
        matches!(&self.cause, Cause::Status { code: 404, errors, .. }
            if errors.iter().any(|error| error.contains("no handler for route")))
    }

    /// Whether one of the server's errors holds `text`.
    pub(super) fn says(&self, text: &str) -> bool {
        matches!(&self.cause, Cause::Status { errors, .. }
            if errors.iter().any(|error| error.contains(text)))
    }

    /// The capability that Vault asks for with this method.
    pub(super) fn capability(&self) -> &'static str {
        match self.method.as_str() {
            "GET" => "read",
            "LIST" => "list",
            "DELETE" => "delete",
            _ => "update",
        }
    }

    fn kind(&self) -> ErrorKind {
        match &self.cause {
            Cause::Garbage(_) => ErrorKind::Broken,
            Cause::Unreachable(_) => ErrorKind::Unavailable { retry_after: None },
            Cause::Status {
                code, retry_after, ..
            } => match code {
                400 | 405 | 409 | 422 => ErrorKind::Refused,
                401 | 403 => ErrorKind::Unauthorised,
                404 => ErrorKind::Misconfigured,
                429 => ErrorKind::RateLimited {
                    retry_after: *retry_after,
                },
                300..400 => ErrorKind::Broken,
                _ => ErrorKind::Unavailable {
                    retry_after: *retry_after,
                },
            },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, url) = (&self.method, &self.url);
        match &self.cause {
            Cause::Garbage(what) => write!(f, "{method} {url:?}: the answer {what}"),
            Cause::Unreachable(why) => {
                // As Go's HTTP client begins it.
                let verb = match method.as_str() {
                    "GET" => "Get",
                    "DELETE" => "Delete",
                    "LIST" => "List",
                    _ => "Put",
                };
                write!(f, "{verb} {url:?}: {why}")
            }
            Cause::Status { code, errors, .. } => {
                // As Vault's own client says it, which Consul hands on.
                write!(
                    f,
                    "Error making API request.\n\nURL: {method} {url}\nCode: {code}. Errors:\n"
                )?;
                for error in errors {
                    write!(f, "\n* {}", redact(error))?;
                }
                // Calls below `auth/` fail for what they carry, not for a right that is missing.
                if self.is_forbidden() && !self.path.starts_with("auth/") {
                    let (needed, path) = (self.capability(), &self.path);
                    write!(f, "\n\nthe token needs \"{needed}\" on {path:?}")?;
                }
                if self.is_unmounted() {
                    let path = &self.path;
                    write!(f, "\n\nno PKI engine is mounted where {path:?} leads")?;
                }
                Ok(())
            }
        }
    }
}

impl From<Failure> for ProviderError {
    fn from(failure: Failure) -> Self {
        Self::new(failure.kind(), failure.to_string())
    }
}
