//! The stored format: rows of an earlier version survive this one to the byte.

use super::*;
use crate::authority::{Life, Link, RotationCause};
use crate::catalog::{ProxyConfig, ServiceKind};

/// A line is a kind, a key and a value, separated by tabs; the last line is the digest.
const ROWS: &str = include_str!("../testdata/rows.txt");

/// The same when leases name their root.
const LEASES: &str = include_str!("../testdata/rows-2.txt");

/// As this version writes it: all checks have an index.
const TODAY: &str = include_str!("../testdata/rows-3.txt");

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
    proxy.proxy = Some(Box::new(ProxyConfig::new("web")));
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
            keep_node: false,
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
    for format in [ROWS, LEASES, TODAY] {
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

/// The record at each step of a rotation, then all rows after the switch.
const ROTATION: &str = include_str!("../testdata/rotation.txt");

/// A certificate authority that moves to another root, with every optional part.
struct Rotating {
    state: State,
    text: String,
}

impl Rotating {
    fn submit(&mut self, command: AuthorityCommand) {
        submit(&mut self.state, Command::Authority(command)).unwrap();
        let rows = self.state.rows();
        let record = rows.iter().find(|row| row.kind == RowKind::Authority);
        self.text += &line(record.unwrap());
    }

    fn rotate(&mut self, epoch: u64, cause: RotationCause) -> (Epoch, OperationId) {
        let operation = OperationId::from_bytes([8; 16]);
        let lifetimes = Lifetimes {
            bundle: Duration::from_secs(3600),
            ..Lifetimes::default()
        };
        let mut configuration = CaConfiguration::new("vault", serde_json::Map::new(), lifetimes);
        configuration.force_without_cross_signing = true;
        self.submit(AuthorityCommand::Rotate {
            configuration,
            cause,
            force: true,
            operation,
        });
        let record = self.state.authority().record().unwrap();
        assert_eq!(record.newest_epoch.number(), epoch);
        (record.newest_epoch, operation)
    }
}

fn second_issuer() -> NewIssuer {
    NewIssuer {
        id: "cc".to_owned(),
        name: "Vault CA Root Cert".to_owned(),
        serial_number: 10,
        signing_key_id: "dd".to_owned(),
        not_before: at(0).wall,
        not_after: at(315_360_000).wall,
        certificate: Der::new(b"second"),
        intermediates: vec![Der::new(b"intermediate")],
        intermediate_life: Some(Life {
            not_before: at(0).wall,
            not_after: at(31_536_000).wall,
        }),
        signed_outside: true,
        private_key_type: "rsa".to_owned(),
        private_key_bits: 4096,
    }
}

fn rotated() -> Rotating {
    let mut state = State::new(SEED);
    submit(&mut state, bootstrap(0x5a)).unwrap();
    submit(&mut state, root_generated(1)).unwrap();
    let mut rotating = Rotating {
        state,
        text: String::new(),
    };
    let (epoch, _) = rotating.rotate(2, RotationCause::Configured);
    rotating.submit(AuthorityCommand::Abandon { epoch });
    let retire_after = Duration::from_secs(600);
    let (epoch, operation) = rotating.rotate(3, RotationCause::Emergency { retire_after });
    rotating.submit(AuthorityCommand::SignatureWanted {
        epoch,
        operation,
        root: second_issuer(),
        csr: Der::new(b"request"),
        state: Sealed::from_bytes(vec![2]),
    });
    rotating.submit(AuthorityCommand::SignatureGiven {
        chain: vec![Der::new(b"intermediate")],
    });
    rotating.submit(AuthorityCommand::IssuerPrepared {
        epoch,
        operation,
        issuer: second_issuer(),
        state: Sealed::from_bytes(vec![3]),
    });
    rotating.submit(AuthorityCommand::CrossSigned {
        epoch,
        link: Link {
            subject: "cc".to_owned(),
            signer: "aa:01".to_owned(),
            certificate: Der::new(b"link"),
            not_after: at(31_536_000).wall,
            needed_until: Timestamp::ZERO,
        },
    });
    rotating.submit(AuthorityCommand::IssuerTried { epoch });
    let rows: String = rotating.state.rows().iter().map(line).collect();
    rotating.text += &rows;
    rotating
}

#[test]
fn a_rotation_is_written_in_todays_format_and_comes_back_to_the_byte() {
    let rotating = rotated();
    assert_eq!(rotating.text, ROTATION);
    for step in [
        "preparing",
        "awaiting_signature",
        "accepting",
        "linking",
        "trying",
    ] {
        assert!(
            ROTATION.contains(&format!("\"step\":{{\"{step}\""))
                || ROTATION.contains(&format!("\"step\":\"{step}\"")),
            "{step}"
        );
    }
    let rows = rotating.state.rows();
    let revision = rotating.state.revision();
    let again = State::restore(SEED, revision, rows.clone()).unwrap();
    assert_eq!(again.rows(), rows);
    // The records of the steps, one after another.
    for record in ROTATION
        .lines()
        .filter(|line| line.starts_with("authority"))
    {
        let mut rows = rows.clone();
        let value = record.rsplit('\t').next().unwrap();
        let row = rows.iter_mut().find(|row| row.kind == RowKind::Authority);
        row.unwrap().value = value.as_bytes().to_vec();
        let again = State::restore(SEED, revision, rows.clone()).unwrap();
        assert_eq!(again.rows(), rows);
    }
}
