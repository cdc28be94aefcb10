//! The promise by which a retired root may be forgotten.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// *No leaf under this issuer is valid after `until`.*
///
/// Signing a leaf writes nothing. What is durable is this coarse promise, extended before it is
/// needed: a leaf is never given a longer life than the committed lease, so once a retired
/// issuer's lease has run out, no leaf of it can be alive and the root may be pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Lease {
    /// Key identifier of the issuer, colon-separated hex.
    pub issuer: String,
    /// Id of the root under which the issuer signs; empty in rows of the first format, where it
    /// is the root itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub root: String,
    /// The moment after which no leaf of the issuer is valid.
    pub until: Timestamp,
    /// Revision at which the lease was first written.
    pub create_index: u64,
    /// Revision at which it was last extended.
    pub modify_index: u64,
}

/// What does not matter when two ends of validity are compared.
pub(super) const SLACK: Duration = Duration::from_secs(60);

/// The end of a lease made at `wall`: two leaf lives on, so that it is extended about once a
/// leaf life.
pub(super) fn reach_from(wall: Timestamp, leaf_life: Duration) -> Timestamp {
    wall.saturating_add(leaf_life.saturating_mul(2))
        .whole_seconds()
}

/// When a lease is due for extension: when it covers less than a life and a quarter, so that a
/// leaf signed while the extension is under way still gets its full life.
pub(super) fn due_at(until: Timestamp, leaf_life: Duration) -> Timestamp {
    until.saturating_sub(leaf_life.saturating_add(leaf_life / 4))
}
