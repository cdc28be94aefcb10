//! What the provider says about itself.

use chancery_core::Timestamp;
use chancery_providers::{Finding as Said, Stops};

use super::{Finding, State};

pub(super) fn findings(said: Vec<Said>, now: Timestamp) -> Vec<Finding> {
    said.into_iter().map(|said| of_one(said, now)).collect()
}

fn of_one(said: Said, now: Timestamp) -> Finding {
    let at = said.left.map(|left| now.saturating_add(left));
    let bites = at.is_none_or(|at| at <= now);
    let state = match said.stops {
        // What stops a change only when somebody orders it is told, with what to do before. It
        // may be meant, as rights that a token was never given, and has no time: were it due, it
        // would be so for ever.
        Stops::Nothing | Stops::Rotation if at.is_none() => State::Fine,
        Stops::Signing if bites => State::Broken,
        _ => State::Due,
    };
    let mut finding = Finding::new(state, said.subject, said.what);
    finding.at = at;
    if !said.advice.is_empty() {
        finding = finding.advice(said.advice);
    }
    if said.stops == Stops::Signing {
        finding = finding.unsigned_from(at.unwrap_or(now));
    }
    finding
}
