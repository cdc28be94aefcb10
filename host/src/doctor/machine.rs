//! The machine that the agent runs on: its disk, its store, its clock.

use std::time::Duration;

use chancery_core::{FORGET_HOLD, Timestamp};

use super::{Finding, State};
use crate::agent::Agent;
use crate::store::Room;

const MIB: u64 = 1024 * 1024;

/// With less room than this an operator should look.
const LITTLE: u64 = 512 * MIB;

/// With less room than this a commit may not fit.
const NONE: u64 = 16 * MIB;

pub(super) fn findings(agent: &Agent, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !agent.server().is_writing() {
        let what = "it has stopped: nothing can be changed, and no CA effect is committed";
        let finding = Finding::new(State::Broken, "store", what);
        findings.push(finding.advice("see the log for why, then start the agent again"));
    }
    if let Some(directory) = &agent.settings().data_dir {
        let path = directory.path().display();
        findings.push(match directory.room() {
            Ok(room) => of_room(room, &path),
            Err(error) => Finding::new(State::Broken, "data_dir", error.to_string())
                .advice("nothing can be stored until this is mended"),
        });
    }
    if let Some((at, by)) = agent.authority().clock_was_set() {
        findings.extend(of_clock(at, by, now));
    }
    findings
}

fn of_room(room: Room, path: &dyn std::fmt::Display) -> Finding {
    let Room { free, total, .. } = room;
    let state = match free {
        ..NONE => State::Broken,
        NONE..LITTLE => State::Due,
        _ => State::Fine,
    };
    let what = format!("{} of {} MiB are free in {path}", free / MIB, total / MIB);
    let finding = Finding::new(state, "disk", what);
    if state == State::Fine {
        return finding;
    }
    finding.advice("make room: once a write fails the agent stops storing until it is restarted")
}

/// For as long as nothing is forgotten because of it.
fn of_clock(at: Timestamp, by: Duration, now: Timestamp) -> Option<Finding> {
    (now.saturating_since(at) < FORGET_HOLD).then(|| {
        let what = format!("it was set by {} s at {at}", by.as_secs());
        Finding::new(State::Due, "wall clock", what)
            .advice("see that the machine's time is kept by NTP; old roots are kept meanwhile")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_is_named_for_an_hour() {
        let at = Timestamp::from_unix(1_795_500_000);
        let by = Duration::from_secs(90);
        assert!(of_clock(at, by, at.saturating_add(FORGET_HOLD - by)).is_some());
        assert!(of_clock(at, by, at.saturating_add(FORGET_HOLD)).is_none());
    }
}
