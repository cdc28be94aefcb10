//! The leafs of this agent.

use chancery_core::{Authority, CaRoot, Timestamp};

use super::{Finding, State};
use crate::agent::leafs::LeafFacts;

pub(super) fn findings(authority: &Authority, leafs: &[LeafFacts], now: Timestamp) -> Vec<Finding> {
    let mut findings: Vec<_> = leafs.iter().filter_map(|leaf| of_one(leaf, now)).collect();
    findings.extend(left_behind(authority, leafs, now));
    let good = leafs.iter().filter(|leaf| leaf.failure.is_none());
    let first = good.clone().filter_map(|leaf| leaf.due).min();
    let count = good.filter(|leaf| leaf.valid_before.is_some()).count();
    if let Some(first) = first {
        let what = format!(
            "{} without anybody's doing",
            plural(count, "leaf is renewed", "leafs are renewed")
        );
        findings.push(Finding::new(State::Fine, "leafs", what).at(first));
    }
    findings
}

/// A leaf that cannot be renewed, or has ended.
fn of_one(leaf: &LeafFacts, now: Timestamp) -> Option<Finding> {
    let ends = leaf.valid_before?;
    let subject = format!("leaf of {}", leaf.service);
    if ends <= now {
        // Nobody needs it: the service is gone and nobody asks.
        if !leaf.registered {
            return None;
        }
        let why = leaf.failure.as_ref().map(|(_, why)| why.as_str());
        let what = format!(
            "it ended at {ends} and there is no new one: {}",
            why.unwrap_or("it is being asked for")
        );
        return Some(
            Finding::new(State::Broken, subject, what)
                .at(ends)
                .failing_from(ends)
                .advice(ASK),
        );
    }
    let (since, why) = leaf.failure.as_ref()?;
    let what = format!("it could not be renewed since {since}: {why}");
    Some(
        Finding::new(State::Due, subject, what)
            .at(ends)
            .failing_from(ends)
            .advice(ASK),
    )
}

const ASK: &str = "mend what the reason says; it is tried again all the time";

/// Leafs of a root that goes on a clock, whose replacement comes after that.
fn left_behind(authority: &Authority, leafs: &[LeafFacts], now: Timestamp) -> Option<Finding> {
    let goes_at = |leaf: &LeafFacts| {
        let root = root_of(authority, leaf.issuer_key_id.as_deref()?)?;
        root.retire_at.filter(|_| !root.active)
    };
    let late: Vec<_> = leafs
        .iter()
        .filter_map(|leaf| Some((leaf, goes_at(leaf)?)))
        .filter(|(leaf, goes)| {
            leaf.valid_before.is_some_and(|ends| now < ends)
                && leaf.due.is_none_or(|due| due >= *goes)
        })
        .collect();
    let first = late.iter().map(|(_, goes)| *goes).min()?;
    let what = format!(
        "{} replaced only after the compromised root is dropped at {first}",
        plural(late.len(), "leaf is", "leafs are")
    );
    Some(
        Finding::new(State::Due, "emergency rotation", what)
            .at(first)
            .failing_from(first)
            .advice("raise CSRMaxPerSecond: slots take half of it"),
    )
}

/// The root under which `issuer` signs or signed.
pub(super) fn root_of<'a>(authority: &'a Authority, issuer: &str) -> Option<&'a CaRoot> {
    authority
        .lease(issuer)
        .and_then(|lease| authority.root(&lease.root))
        .or_else(|| authority.roots().find(|root| root.signing_key_id == issuer))
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
