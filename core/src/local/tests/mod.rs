mod checks;
mod registering;
mod sidecars;
mod syncing;

use std::time::Duration;

use super::*;
use crate::catalog::{CheckStatus, Node, NodeId};
use crate::{GoDuration, Instant, Now, Timestamp};

fn at(seconds: f64) -> Now {
    Now {
        wall: Timestamp::from_unix(1_795_527_612),
        mono: Instant::new(Duration::from_secs_f64(seconds)),
    }
}

fn go(text: &str) -> GoDuration {
    GoDuration::parse(text).unwrap()
}

/// An agent on node `n1` that has told the catalog that it is alive.
fn agent() -> LocalState {
    let node = Node::new(NodeId::from_bytes([1; 16]), "n1", "127.0.0.1");
    let mut agent = LocalState::new(node, LocalSettings::default(), 7);
    let Some(LocalAction::Sync { key, .. }) = agent.poll(at(0.0)) else {
        panic!("nothing said about the node");
    };
    assert_eq!(key, SyncKey::Node);
    agent
}

fn service(name: &str) -> Registration {
    Registration {
        name: name.into(),
        ..Registration::default()
    }
}

fn ttl_check(id: &str, ttl: &str) -> CheckDefinition {
    CheckDefinition {
        check_id: id.into(),
        ttl: go(ttl),
        ..CheckDefinition::default()
    }
}

fn tcp_check(id: &str, interval: &str) -> CheckDefinition {
    CheckDefinition {
        check_id: id.into(),
        tcp: "127.0.0.1:1".into(),
        interval: go(interval),
        ..CheckDefinition::default()
    }
}

fn with_checks(name: &str, checks: Vec<CheckDefinition>) -> Registration {
    Registration {
        checks,
        ..service(name)
    }
}

fn register(agent: &mut LocalState, said: Registration, now: Now) {
    let checked = said.check("n1", agent.settings()).unwrap();
    agent.register(checked, false, now).unwrap();
}

/// Everything there is to do now: what is said to the catalog, and which checks are probed.
fn drain(agent: &mut LocalState, now: Now) -> (Vec<SyncKey>, Vec<ProbeSpec>) {
    let (mut keys, mut probes) = (Vec::new(), Vec::new());
    while let Some(action) = agent.poll(now) {
        match action {
            LocalAction::Probe(probe) => probes.push(probe),
            LocalAction::Sync { key, .. } => keys.push(key),
        }
    }
    (keys, probes)
}

fn state(agent: &LocalState, check_id: &str) -> (CheckStatus, String) {
    let check = agent.check(check_id).unwrap();
    (check.status, check.output.clone())
}

fn key(check_id: &str) -> SyncKey {
    SyncKey::Check(check_id.into())
}
