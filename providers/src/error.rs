//! What can go wrong at a provider, by what the caller should do about it.

use std::fmt;
use std::time::Duration;

use chancery_core::Violation;

use crate::Operation;

/// Why a provider did not do what it was asked.
///
/// `Display` is the provider's own sentence and nothing else, because some of these sentences
/// are Consul's and reach its clients byte for byte. [`report`](Self::report) adds which
/// provider, which operation, how often and how long. No text here ever holds a key, a token
/// or another secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    kind: ErrorKind,
    message: String,
    violation: Option<Box<Violation>>,
    rule: Option<&'static str>,
    call: Option<Box<FailedCall>>,
}

/// What an error means for whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The provider answered with something that cannot be used, or broke its own contract.
    Broken,
    /// An option is wrong or missing: an operator must change the configuration.
    Misconfigured,
    /// The backend has too much to do, or the operator's limit is reached.
    RateLimited {
        /// How long to wait before asking again, if known.
        retry_after: Option<Duration>,
    },
    /// The request itself cannot be granted, now or later.
    Refused,
    /// The backend does not let us: a credential is wrong, expired or lacks a right.
    Unauthorised,
    /// The backend cannot be reached or is not ready.
    Unavailable {
        /// How long to wait before asking again, if known.
        retry_after: Option<Duration>,
    },
}

impl ErrorKind {
    /// Whether the same request may succeed later without anybody changing anything.
    ///
    /// The only place where a kind says retry or not.
    #[must_use]
    pub const fn is_retryable(self) -> bool {
        match self {
            Self::RateLimited { .. } | Self::Unavailable { .. } => true,
            Self::Broken | Self::Misconfigured | Self::Refused | Self::Unauthorised => false,
        }
    }

    /// How long the backend asked to be left alone, if it said so.
    #[must_use]
    pub const fn retry_after(self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } | Self::Unavailable { retry_after } => retry_after,
            Self::Broken | Self::Misconfigured | Self::Refused | Self::Unauthorised => None,
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Broken => "broken",
            Self::Misconfigured => "misconfigured",
            Self::RateLimited { .. } => "rate limited",
            Self::Refused => "refused",
            Self::Unauthorised => "unauthorised",
            Self::Unavailable { .. } => "unavailable",
        })
    }
}

/// The call that failed, as the guard saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FailedCall {
    /// Name of the provider, as in the configuration.
    pub provider: String,
    /// What it was asked.
    pub operation: Operation,
    /// From the first attempt to giving up.
    pub elapsed: Duration,
    /// How often it was tried; 0 if the guard refused before asking.
    pub attempts: u32,
}

impl ProviderError {
    /// An error of `kind` that says `message`, which must not hold a secret.
    #[must_use]
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            violation: None,
            rule: None,
            call: None,
        }
    }

    /// Shorthand for [`ErrorKind::Broken`].
    #[must_use]
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Broken, message)
    }

    /// Shorthand for [`ErrorKind::Misconfigured`].
    #[must_use]
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    /// Shorthand for [`ErrorKind::Refused`].
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// An answer that broke a rule of the certificate policy: [`ErrorKind::Broken`].
    #[must_use]
    pub fn violating(violation: Violation) -> Self {
        Self {
            message: format!("the provider's answer breaks a rule: {violation}"),
            rule: Some(violation.rule()),
            violation: Some(Box::new(violation)),
            ..Self::broken("")
        }
    }

    /// An answer that broke a rule of the guard's own, which no certificate can be asked alone:
    /// [`ErrorKind::Broken`].
    pub(crate) fn breaking(rule: &'static str, message: impl Into<String>) -> Self {
        Self {
            rule: Some(rule),
            ..Self::broken(message)
        }
    }

    /// Adds which call failed; the outermost guard's word stays.
    #[must_use]
    pub fn during(mut self, call: FailedCall) -> Self {
        self.call = Some(Box::new(call));
        self
    }

    /// What this means for the caller.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The policy rule that the answer broke, if that is what happened.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        self.violation.as_deref()
    }

    /// The name of the policy rule that the answer broke, if that is what happened: a fixed word,
    /// fit for a label of a metric.
    #[must_use]
    pub const fn rule(&self) -> Option<&'static str> {
        self.rule
    }

    /// The call that failed, if a guard saw it.
    #[must_use]
    pub fn call(&self) -> Option<&FailedCall> {
        self.call.as_deref()
    }

    /// The whole story on one line, for logs and the command line.
    #[must_use]
    pub fn report(&self) -> impl fmt::Display + '_ {
        Report(self)
    }
}

struct Report<'a>(&'a ProviderError);

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        if let Some(call) = &error.call {
            write!(
                f,
                "provider {}, {}, {} after {} ms and {} attempt{}: ",
                call.provider,
                call.operation,
                error.kind,
                call.elapsed.as_millis(),
                call.attempts,
                if call.attempts == 1 { "" } else { "s" },
            )?;
        }
        f.write_str(&error.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rate_limits_and_absence_are_worth_a_retry() {
        let after = Some(Duration::from_secs(3));
        for (kind, retry) in [
            (ErrorKind::Broken, false),
            (ErrorKind::Misconfigured, false),
            (ErrorKind::RateLimited { retry_after: after }, true),
            (ErrorKind::Refused, false),
            (ErrorKind::Unauthorised, false),
            (ErrorKind::Unavailable { retry_after: after }, true),
        ] {
            assert_eq!(kind.is_retryable(), retry, "{kind}");
            assert_eq!(kind.retry_after().is_some(), retry, "{kind}");
        }
    }

    #[test]
    fn the_report_adds_the_call_and_display_does_not() {
        let error = ProviderError::refused("no root").during(FailedCall {
            provider: "consul".into(),
            operation: Operation::SignLeaf,
            elapsed: Duration::from_millis(12),
            attempts: 1,
        });
        assert_eq!(error.to_string(), "no root");
        assert_eq!(
            error.report().to_string(),
            "provider consul, sign leaf, refused after 12 ms and 1 attempt: no root"
        );
    }
}
