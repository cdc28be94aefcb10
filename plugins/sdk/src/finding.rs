//! What a plugin knows of itself that an operator should know in time.

use crate::Timestamp;

/// Something that ends, runs out or is missing: an answer of
/// [`Ca::findings`](crate::Ca::findings).
///
/// No text may hold a secret. What cannot be printed the host escapes, and what is too long it
/// cuts: a subject of more than 64 bytes, another text of more than 1,024.
///
/// ```
/// use chancery_plugin::{Finding, Stops};
///
/// let finding = Finding::new("API key", "it ends and cannot be renewed")
///     .at(1_798_761_600)
///     .stops(Stops::Signing)
///     .advice("order another one and put it into config.api_key");
/// assert_eq!(finding.subject(), "API key");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub(crate) subject: String,
    pub(crate) what: String,
    pub(crate) advice: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) stops: Stops,
}

/// What a finding puts an end to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stops {
    /// Nothing: good to know.
    Nothing,
    /// The next change of the CA, or of its root, would fail.
    Rotation,
    /// No more leafs are signed.
    Signing,
}

impl Finding {
    /// One about `subject`, a word or two; `what` was found, a sentence without a full stop. It
    /// has no time yet, puts an end to nothing, and there is nothing to do about it.
    pub fn new(subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            subject: subject.into(),
            what: what.into(),
            advice: String::new(),
            at: None,
            stops: Stops::Nothing,
        }
    }

    /// When that happens, or happened. One that stops signing and has no time does so already.
    #[must_use]
    pub const fn at(mut self, moment: Timestamp) -> Self {
        self.at = Some(moment);
        self
    }

    /// What goes no longer then.
    #[must_use]
    pub const fn stops(mut self, stops: Stops) -> Self {
        self.stops = stops;
        self
    }

    /// What the operator shall do about it.
    #[must_use]
    pub fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = advice.into();
        self
    }

    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What was found.
    #[must_use]
    pub fn what(&self) -> &str {
        &self.what
    }
}
