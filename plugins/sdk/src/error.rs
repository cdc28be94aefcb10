//! Why a call did not do what was asked.

use std::fmt;
use std::time::Duration;

/// Why a call did not do what was asked: what the host shall do about it, and one sentence for
/// the operator.
///
/// The sentence begins in lower case, has no full stop, and says what was found and what would be
/// right. It never holds a key, a token or another secret.
///
/// ```
/// use chancery_plugin::{Error, ErrorKind};
///
/// let error = Error::unavailable("the CA answered 503").retry_after(std::time::Duration::from_secs(5));
/// assert_eq!(error.kind(), ErrorKind::Unavailable);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    retry_after: Option<Duration>,
}

/// What an error means for whoever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The CA answered with something that cannot be used.
    Broken,
    /// An option is wrong: the operator must change the configuration.
    Misconfigured,
    /// The CA has too much to do. The host asks again later.
    RateLimited,
    /// The request cannot be granted, now or later.
    Refused,
    /// The CA does not let us: a credential is wrong, has ended, or lacks a right.
    Unauthorised,
    /// The CA cannot be reached or is not ready. The host asks again later.
    Unavailable,
}

impl Error {
    /// An error of that kind.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            retry_after: None,
        }
    }

    /// [`ErrorKind::Broken`].
    pub fn broken(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Broken, message)
    }

    /// [`ErrorKind::Misconfigured`].
    pub fn misconfigured(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Misconfigured, message)
    }

    /// [`ErrorKind::RateLimited`].
    pub fn rate_limited(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::RateLimited, message)
    }

    /// [`ErrorKind::Refused`].
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, message)
    }

    /// [`ErrorKind::Unauthorised`].
    pub fn unauthorised(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unauthorised, message)
    }

    /// [`ErrorKind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Adds how long to leave the CA alone, if it said so. Counts for
    /// [`RateLimited`](ErrorKind::RateLimited) and [`Unavailable`](ErrorKind::Unavailable).
    #[must_use]
    pub const fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The same error, which now says first what it is about, such as the path that was asked.
    ///
    /// ```
    /// use chancery_plugin::Error;
    ///
    /// let error = Error::unavailable("the CA answered 503").about("pki/sign");
    /// assert_eq!(error.message(), "pki/sign: the CA answered 503");
    /// ```
    #[must_use]
    pub fn about(mut self, what: impl fmt::Display) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// The same error as another kind.
    #[must_use]
    pub const fn of_kind(mut self, kind: ErrorKind) -> Self {
        self.kind = kind;
        self
    }

    /// What the host does about it.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The sentence.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How long to leave the CA alone.
    #[must_use]
    pub const fn wait(&self) -> Option<Duration> {
        self.retry_after
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// Why a configuration is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ConfigureError {
    /// These options are wrong, all of them: each name, and what is wrong with it.
    Options(Vec<(String, String)>),
    /// Something else.
    Failed(Error),
}

impl ConfigureError {
    /// One wrong option.
    pub fn option(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Options(vec![(name.into(), problem.into())])
    }
}

impl From<Error> for ConfigureError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Options(problems) => {
                for (place, (name, problem)) in problems.iter().enumerate() {
                    let between = if place == 0 { "" } else { "; " };
                    write!(f, "{between}{name}: {problem}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for ConfigureError {}
