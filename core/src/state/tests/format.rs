//! The stored format: rows of an earlier version survive this one to the byte.

use super::*;
use crate::catalog::{ProxyConfig, ServiceKind};

/// A line is a kind, a key and a value, separated by tabs; the last line is the digest.
const ROWS: &str = include_str!("../testdata/rows.txt");

/// The same as this version writes it: leases name their root.
const TODAY: &str = include_str!("../testdata/rows-2.txt");

fn line(row: &Row) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    format!(
        "{}\t{}\t{}\n",
        row.kind.name(),
        text(&row.key),
        text(&row.value)
    )
}

fn stored(text: &'static str) -> (Vec<Row>, &'static str) {
    let (rows, digest) = text.trim_end().rsplit_once('\n').unwrap();
    let row = |line: &str| {
        let parts: Vec<&str> = line.split('\t').collect();
        Row {
            kind: RowKind::from_name(parts[0]).unwrap(),
            key: parts[1].into(),
            value: parts[2].into(),
        }
    };
    (rows.lines().map(row).collect(), digest)
}

/// One entity of every kind, most with their optional parts.
fn written() -> State {
    let mut state = State::new(SEED);
    let mut proxy = ServiceInstance::new("n", "web-sidecar", "web-sidecar");
    proxy.kind = ServiceKind::ConnectProxy;
    proxy.tags = vec!["v1".to_owned()];
    proxy.proxy = Some(ProxyConfig::new("web"));
    let commands = [
        bootstrap(0x5a),
        root_generated(1),
        intention("web", "Db", 1),
        Command::Intention(IntentionCommand::UpsertExact {
            source: "*".to_owned(),
            destination: "db".to_owned(),
            draft: IntentionDraft {
                action: "allow".to_owned(),
                description: "all may".to_owned(),
                ..IntentionDraft::default()
            },
        }),
        register(1, Some(("web-1", "web"))),
        Command::Catalog(CatalogCommand::Register {
            node: Node::new(NodeId::from_bytes([2; 16]), "n", "10.0.0.1"),
            service: Some(Box::new(proxy)),
            checks: Vec::new(),
        }),
        intention("gone", "gone", 3),
        delete("gone", "gone"),
    ];
    for command in commands {
        submit(&mut state, command).unwrap();
    }
    state
}

#[test]
fn rows_of_every_format_come_back_to_the_byte() {
    for format in [ROWS, TODAY] {
        let (rows, digest) = stored(format);
        for kind in RowKind::ALL {
            assert!(rows.iter().any(|row| row.kind == kind), "{}", kind.name());
        }
        let state = State::restore(SEED, Revision::new(9), rows.clone()).unwrap();
        assert_eq!(state.rows(), rows);
        assert_eq!(state.digest().to_string(), digest);
    }
}

#[test]
fn rows_are_written_in_todays_format() {
    let state = written();
    let mut text: String = state.rows().iter().map(line).collect();
    text += &format!("{}\n", state.digest());
    assert_eq!(text, TODAY);
}

#[test]
fn a_field_of_a_later_version_is_skipped_and_shows_in_the_digest() {
    let (mut rows, digest) = stored(ROWS);
    let row = rows.iter_mut().find(|row| row.kind == RowKind::CaRoot);
    let value = &mut row.unwrap().value;
    assert_eq!(value.pop(), Some(b'}'));
    value.extend_from_slice(b",\"of_tomorrow\":1}");
    // The state has what it knows, and its digest is that of a store without the rest: whoever
    // compares it with the recorded one refuses to go on and loses nothing.
    let recorded = rows.iter().fold(Digest::default(), |mut digest, row| {
        digest.add(row.kind, &row.key, &row.value);
        digest
    });
    let state = State::restore(SEED, Revision::new(9), rows).unwrap();
    assert_eq!(state.digest().to_string(), digest);
    assert_ne!(state.digest(), recorded);
}
