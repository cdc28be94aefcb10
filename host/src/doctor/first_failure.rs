//! When the first handshake fails if nothing is done.

use chancery_core::{Authority, Timestamp};

use super::Finding;
use crate::agent::leafs::LeafFacts;

/// The earliest moment at which a handshake fails, when whatever renews itself now goes on to and
/// whatever fails goes on to fail. Without a CA none can succeed, so it is now; `None` only if
/// nothing at all has an end.
pub(super) fn find(
    authority: &Authority,
    findings: &[Finding],
    leafs: &[LeafFacts],
    now: Timestamp,
) -> Option<Timestamp> {
    let Some(root) = authority.active_root() else {
        return Some(now);
    };
    let unsigned_from = findings
        .iter()
        .filter_map(|finding| finding.stops_signing_at)
        .min();
    // Leafs whose renewal comes once nothing is signed any more, and new ones from then on.
    let starved = leafs
        .iter()
        .filter(|leaf| unsigned_from.is_some_and(|stop| leaf.due.is_none_or(|due| due >= stop)))
        .filter_map(|leaf| leaf.valid_before);
    findings
        .iter()
        .filter_map(|finding| finding.fails_handshakes_at)
        .chain(starved)
        .chain([root.not_after])
        .min()
}
