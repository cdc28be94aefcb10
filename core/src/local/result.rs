//! What a probe found, in the words that Consul uses.

use super::check_plan::HttpTarget;
use crate::catalog::CheckStatus;

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckResult {
    /// How the service is.
    pub status: CheckStatus,
    /// What was seen.
    pub output: String,
}

impl CheckResult {
    /// A TCP connection could be opened.
    #[must_use]
    pub fn connected(address: &str) -> Self {
        Self {
            status: CheckStatus::Passing,
            output: format!("TCP connect {address}: Success"),
        }
    }

    /// A web server answered: 2xx passes, 429 warns, anything else is critical.
    #[must_use]
    pub fn answered(target: &HttpTarget, code: u16, reason: &str, body: &str) -> Self {
        let status = match code {
            200..=299 => CheckStatus::Passing,
            429 => CheckStatus::Warning,
            _ => CheckStatus::Critical,
        };
        let (method, url) = (&target.method, &target.url);
        Self {
            status,
            output: format!("HTTP {method} {url}: {code} {reason} Output: {body}"),
        }
    }

    /// The probe failed, and why.
    #[must_use]
    pub fn failed(why: impl Into<String>) -> Self {
        Self {
            status: CheckStatus::Critical,
            output: why.into(),
        }
    }
}
