//! What a provider knows about itself that an operator should know in time.

use std::time::Duration;

/// Something that will run out, or is missing, behind a provider: a credential that ends and
/// cannot be renewed, a right that a rotation would need, a mount that is about to be full.
///
/// No field may hold a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about, in a word or two: `Vault token`.
    pub subject: String,
    /// What was found, as a sentence without a full stop.
    pub what: String,
    /// What to do about it.
    pub advice: String,
    /// How long until it bites, as a provider has no wall clock; zero if it does already, `None`
    /// if that has no time.
    pub left: Option<Duration>,
    /// What goes no longer then.
    pub stops: Stops,
}

/// What a finding puts an end to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stops {
    /// Nothing: good to know.
    Nothing,
    /// The next change of the CA would fail.
    Rotation,
    /// No more leafs are signed.
    Signing,
}

impl Finding {
    /// A finding about `subject`.
    #[must_use]
    pub fn new(
        subject: impl Into<String>,
        what: impl Into<String>,
        advice: impl Into<String>,
        left: Option<Duration>,
        stops: Stops,
    ) -> Self {
        Self {
            subject: subject.into(),
            what: what.into(),
            advice: advice.into(),
            left,
            stops,
        }
    }
}
