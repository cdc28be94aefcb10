mod format;

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::authority::{
    AuthorityCommand, CaConfiguration, Epoch, Lifetimes, NewIssuer, OperationId,
};
use crate::catalog::{CatalogCommand, Check, CheckStatus, Node, NodeId, ServiceInstance};
use crate::intention::{IntentionCommand, IntentionDraft, IntentionId};
use crate::{Der, Instant, Sealed, Timestamp};

const SEED: HashSeed = HashSeed([3, 4]);

fn at(seconds: u64) -> Now {
    Now {
        wall: Timestamp::from_unix(1_795_500_000 + i64::try_from(seconds).unwrap()),
        mono: Instant::new(Duration::from_secs(seconds)),
    }
}

fn submit(state: &mut State, command: Command) -> Option<Touched> {
    let now = at(state.revision().number());
    let changes = state
        .propose(command, &Caller::unrestricted(), now)
        .ok()
        .filter(|changes| !changes.is_empty())?;
    Some(state.apply(&changes).unwrap())
}

fn intention(source: &str, destination: &str, id: u8) -> Command {
    Command::Intention(IntentionCommand::Create {
        id: IntentionId::from_bytes([id; 16]),
        draft: IntentionDraft {
            source_name: source.to_owned(),
            destination_name: destination.to_owned(),
            action: "deny".to_owned(),
            ..IntentionDraft::default()
        },
    })
}

fn delete(source: &str, destination: &str) -> Command {
    Command::Intention(IntentionCommand::DeleteExact {
        source: source.to_owned(),
        destination: destination.to_owned(),
    })
}

fn bootstrap(cluster: u8) -> Command {
    Command::Authority(AuthorityCommand::Bootstrap {
        cluster_id: [cluster; 16],
        configuration: CaConfiguration::new("consul", serde_json::Map::new(), Lifetimes::default()),
        operation: OperationId::from_bytes([7; 16]),
    })
}

fn root_generated(key: u8) -> Command {
    Command::Authority(AuthorityCommand::IssuerPrepared {
        epoch: Epoch::FIRST,
        operation: OperationId::from_bytes([7; 16]),
        issuer: NewIssuer {
            id: format!("aa:{key:02x}"),
            name: "Consul CA Root Cert".to_owned(),
            serial_number: 9,
            signing_key_id: format!("bb:{key:02x}"),
            not_before: at(0).wall,
            not_after: at(315_360_000).wall,
            certificate: Der::new(b"root"),
            intermediates: Vec::new(),
            intermediate_life: None,
            signed_outside: false,
            private_key_type: "ec".to_owned(),
            private_key_bits: 256,
        },
        state: Sealed::from_bytes(vec![key; 3]),
    })
}

fn extend_lease(key: u8, seconds: u64) -> Command {
    Command::Authority(AuthorityCommand::ExtendLease {
        epoch: Epoch::FIRST,
        issuer: format!("bb:{key:02x}"),
        until: at(seconds).wall,
    })
}

fn register(node: u8, service: Option<(&str, &str)>) -> Command {
    let name = format!("Node{node}");
    let mut node = Node::new(NodeId::from_bytes([node; 16]), name.clone(), "127.0.0.1");
    node.meta.insert("k".to_owned(), "v".to_owned());
    Command::Catalog(CatalogCommand::Register {
        node,
        keep_node: false,
        service: service.map(|(id, service)| Box::new(ServiceInstance::new(&name, id, service))),
        checks: vec![Check::new(&name, "alive", "alive", CheckStatus::Passing)],
    })
}

#[test]
fn the_first_write_is_revision_two() {
    let mut state = State::new(SEED);
    assert_eq!(state.revision(), Revision::EMPTY);
    assert_eq!(state.index(&Topic::Intentions), Revision::new(1));
    let touched = submit(&mut state, intention("web", "db", 1)).unwrap();
    assert_eq!(touched.revision, Revision::new(2));
    assert_eq!(state.index(&Topic::Intentions), Revision::new(2));
}

#[test]
fn changes_for_another_revision_are_refused_and_change_nothing() {
    let mut state = State::new(SEED);
    let propose = |state: &State, command| {
        state
            .propose(command, &Caller::unrestricted(), at(0))
            .unwrap()
    };
    let first = propose(&state, intention("web", "db", 1));
    let second = propose(&state, intention("api", "db", 2));
    state.apply(&first).unwrap();
    let before = state.digest();
    assert_eq!(
        state.apply(&second).unwrap_err(),
        WrongRevision {
            found: Revision::new(2),
            current: Revision::new(2)
        }
    );
    assert_eq!(state.digest(), before);
}

#[test]
fn a_write_wakes_those_it_concerns_and_nobody_else() {
    let mut state = State::new(SEED);
    let touched = submit(&mut state, intention("web", "DB", 1)).unwrap();
    assert_eq!(
        touched.topics,
        [
            Topic::IntentionDestination("db".into()),
            Topic::IntentionSource("web".into()),
            Topic::Intentions,
        ]
    );
    submit(&mut state, intention("web", "cache", 2)).unwrap();
    assert_eq!(
        state.index(&Topic::IntentionDestination("db".into())),
        Revision::new(2)
    );
    assert_eq!(
        state.index(&Topic::IntentionSource("web".into())),
        Revision::new(3)
    );
}

#[test]
fn names_that_are_gone_share_one_index_and_leave_no_row() {
    let mut state = State::new(SEED);
    submit(&mut state, intention("web", "db", 1)).unwrap();
    let rows = state.rows().len();
    for round in 0..50 {
        let name = format!("temporary-{round}");
        submit(&mut state, intention("web", &name, 9)).unwrap();
        submit(&mut state, delete("web", &name)).unwrap();
    }
    // The only new row is the extinction index of destinations.
    assert_eq!(state.rows().len(), rows + 1);
    let gone = state.index(&Topic::IntentionDestination("temporary-0".into()));
    assert_eq!(gone, state.revision());
    assert_eq!(
        gone,
        state.index(&Topic::IntentionDestination("never-seen".into()))
    );
    assert_eq!(
        state.index(&Topic::IntentionDestination("db".into())),
        Revision::new(2)
    );
}

#[test]
fn an_identical_registration_changes_nothing() {
    let mut state = State::new(SEED);
    submit(&mut state, register(1, Some(("web-1", "web")))).unwrap();
    let revision = state.revision();
    assert!(submit(&mut state, register(1, Some(("web-1", "web")))).is_none());
    assert_eq!(state.revision(), revision);
}

#[test]
fn a_row_that_cannot_be_read_is_named() {
    let row = Row {
        kind: RowKind::Intention,
        key: b"[\"\n\"]".to_vec(),
        value: b"{}".to_vec(),
    };
    let error = State::restore(SEED, Revision::new(2), [row]).err().unwrap();
    assert!(
        error
            .to_string()
            .starts_with(r#"the intention row [\"\n\"] cannot be read: missing field"#),
        "{error}"
    );
}

fn any_command() -> impl Strategy<Value = Command> {
    let name = prop::sample::select(vec!["web", "Web", "db", "api", "*", "cache"]);
    prop_oneof![
        (name.clone(), name.clone(), any::<u8>()).prop_map(|(source, destination, id)| intention(
            source,
            destination,
            id
        )),
        (name.clone(), name.clone()).prop_map(|(source, destination)| delete(source, destination)),
        (0..4_u8, name.clone()).prop_map(|(node, name)| register(node, Some(("id", name)))),
        (0..4_u8).prop_map(|node| register(node, None)),
        (0..4_u8).prop_map(|node| Command::Catalog(CatalogCommand::DeregisterNode {
            node: format!("node{node}")
        })),
        (0..4_u8).prop_map(|node| Command::Catalog(CatalogCommand::DeregisterService {
            node: format!("NODE{node}"),
            id: "id".to_owned()
        })),
        (0..3_u8).prop_map(bootstrap),
        (0..3_u8).prop_map(root_generated),
        (0..3_u8, any::<u32>()).prop_map(|(key, until)| extend_lease(key, until.into())),
    ]
}

/// A store, as far as the state knows one: rows by kind and key.
type Table = std::collections::BTreeMap<(RowKind, Vec<u8>), Vec<u8>>;

fn store(table: &mut Table, writes: Vec<RowWrite>) {
    for RowWrite { kind, key, value } in writes {
        match value {
            Some(value) => drop(table.insert((kind, key), value)),
            None => drop(table.remove(&(kind, key))),
        }
    }
}

fn table_rows(table: &Table) -> Vec<Row> {
    let row = |((kind, key), value): (&(RowKind, Vec<u8>), &Vec<u8>)| Row {
        kind: *kind,
        key: key.clone(),
        value: value.clone(),
    };
    table.iter().map(row).collect()
}

proptest! {
    /// What a store was told to hold, what the state says its rows are, and a replay of the
    /// same changes all come to the same state, to the digest; older clones stay as they were.
    #[test]
    fn rows_replay_and_working_state_agree(
        commands in prop::collection::vec(any_command(), 1..60),
        other_seed in any::<[u64; 2]>(),
        start in any::<prop::sample::Index>(),
    ) {
        let mut state = State::new(SEED);
        let mut replica = State::new(HashSeed(other_seed));
        let mut table = Table::new();
        let mut clones = vec![(state.clone(), state.digest(), state.rows())];
        for command in commands {
            let now = at(state.revision().number());
            let Ok(changes) = state.propose(command, &Caller::unrestricted(), now) else {
                continue;
            };
            if changes.is_empty() {
                continue;
            }
            let touched = state.apply(&changes).unwrap();
            store(&mut table, touched.rows);
            replica.apply(&changes).unwrap();
            clones.push((state.clone(), state.digest(), state.rows()));
        }
        prop_assert_eq!(state.rows(), table_rows(&table));
        prop_assert_eq!(replica.digest(), state.digest());
        prop_assert_eq!(replica.rows(), state.rows());
        // A store may give its rows in another order.
        let mut shuffled = table_rows(&table);
        if !shuffled.is_empty() {
            let start = start.index(shuffled.len());
            shuffled.rotate_left(start);
            shuffled[..start].reverse();
        }
        let restored =
            State::restore(HashSeed(other_seed), state.revision(), shuffled).unwrap();
        prop_assert_eq!(restored.digest(), state.digest());
        prop_assert_eq!(restored.rows(), state.rows());
        for (clone, digest, rows) in clones {
            prop_assert_eq!(clone.digest(), digest);
            prop_assert_eq!(clone.rows(), rows);
        }
    }
}
