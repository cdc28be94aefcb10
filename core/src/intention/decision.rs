//! A verdict and the words for it.

use std::fmt;

use super::explanation::Explanation;
use super::index::IntentionSet;
use super::model::Intention;
use super::names::{NameRef, Ruling};

/// What decides when no rule fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DefaultPolicy {
    /// ACLs are off: whatever no rule forbids is allowed.
    AclsDisabled,
    /// The default policy of the ACLs is `allow`.
    Allow,
    /// The default policy of the ACLs is `deny`.
    Deny,
}

impl DefaultPolicy {
    /// Whether a connection that no rule fits is allowed.
    #[must_use]
    pub const fn allows(self) -> bool {
        match self {
            Self::AclsDisabled | Self::Allow => true,
            Self::Deny => false,
        }
    }
}

/// Whether one service may connect to another, and why.
///
/// Made without allocation; rules and sentences are looked up when they are asked for.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Decision<'a> {
    pub(super) set: &'a IntentionSet,
    pub(super) source: NameRef<'a>,
    pub(super) destination: NameRef<'a>,
    ruling: Ruling,
    pub(super) default: DefaultPolicy,
}

impl<'a> Decision<'a> {
    #[inline]
    pub(super) const fn new(
        set: &'a IntentionSet,
        source: NameRef<'a>,
        destination: NameRef<'a>,
        ruling: Ruling,
        default: DefaultPolicy,
    ) -> Self {
        Self {
            set,
            source,
            destination,
            ruling,
            default,
        }
    }

    /// The verdict.
    #[must_use]
    #[inline]
    pub const fn allowed(&self) -> bool {
        match self.ruling.row() {
            Some(_) => self.ruling.allowed(),
            None => self.default.allows(),
        }
    }

    /// The rule that decided; `None` if the default did.
    #[must_use]
    pub fn winner(&self) -> Option<&'a Intention> {
        self.set.row(self.ruling.row()?)
    }

    /// Consul's sentence for the verdict, as `authorize` answers it.
    pub fn reason(&self) -> Reason<'a> {
        match self.winner() {
            Some(winner) => Reason(Ok(winner)),
            None => Reason(Err(self.default)),
        }
    }

    /// The whole story: winner, what it overrules, and how to get the other answer.
    pub fn explain(&self) -> Explanation<'a> {
        Explanation::new(*self)
    }
}

/// Consul's sentence for a decision; made when it is printed.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct Reason<'a>(Result<&'a Intention, DefaultPolicy>);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Ok(winner) => write!(f, "Matched intention: {winner}"),
            Err(DefaultPolicy::AclsDisabled) => {
                f.write_str("ACLs disabled, access is allowed by default")
            }
            Err(DefaultPolicy::Allow | DefaultPolicy::Deny) => {
                f.write_str("Default behavior configured by ACLs")
            }
        }
    }
}
