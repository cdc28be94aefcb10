//! Which of several fitting intentions decides.

use std::cmp::{Ordering, Reverse};

use super::model::Intention;

/// How much of a side a rule leaves open, the most exact first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// One service: `default/web`.
    Name,
    /// Every service of one namespace: `default/*`.
    Namespace,
    /// Every service: `*/*`.
    All,
}

/// Consul's number for a rule: 9 (both exact) down to 1 (`*/*` to `*/*`).
///
/// The destination decides first. Allow and deny have no rank of their own.
pub(super) const fn precedence(source: Reach, destination: Reach) -> u8 {
    let base = match destination {
        Reach::Name => 9,
        Reach::Namespace => 6,
        Reach::All => 3,
    };
    base - match source {
        Reach::Name => 0,
        Reach::Namespace => 1,
        Reach::All => 2,
    }
}

/// The order of lists and of evaluation: precedence from high to low, then source namespace
/// and name, destination namespace and name, compared by bytes.
pub(super) fn list_order(left: &Intention, right: &Intention) -> Ordering {
    fn key(row: &Intention) -> (Reverse<u8>, &str, &str, &str, &str) {
        (
            Reverse(row.precedence()),
            row.source_namespace().as_str(),
            row.source_name(),
            row.destination_namespace().as_str(),
            row.destination_name(),
        )
    }
    key(left).cmp(&key(right))
}
