//! The number of a write.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How often the state has been written: dense, our own, and what clients see as
/// `X-Consul-Index`.
///
/// An empty state is at [`Revision::EMPTY`], so that the first write is 2: Consul's clients
/// take an index below 1 for "no answer" and its test tools wait for at least 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(u64);

impl Revision {
    /// The revision of a state in which nothing was ever written.
    pub const EMPTY: Self = Self(1);

    /// A revision read back from a store or a client.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The revision of the next write.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
