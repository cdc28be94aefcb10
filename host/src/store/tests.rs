//! What every store promises, asked of every store.

use proptest::prelude::*;

use super::*;

const KINDS: &[RowKind] = &[RowKind::new("intention"), RowKind::new("node")];
const FOREIGN: RowKind = RowKind::new("certificate");

fn put(kind: RowKind, key: &str, value: &str) -> Write {
    Write::Put(Row {
        kind,
        key: key.into(),
        value: value.into(),
    })
}

fn batch(revision: u64, writes: Vec<Write>) -> Batch {
    Batch { revision, writes }
}

fn group(batches: Vec<Batch>) -> Group {
    Group {
        batches,
        digest: [9; 32],
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
}

/// A store with a way to open it again.
struct Opened {
    store: Box<dyn Store>,
    reopen: Reopen,
}

type Reopen = Box<dyn Fn(Box<dyn Store>) -> Box<dyn Store>>;

/// One of each, with the directory that lives as long.
fn stores() -> Vec<(Opened, Option<tempfile::TempDir>)> {
    let memory = std::sync::Arc::new(std::sync::Mutex::new(MemoryStore::new(KINDS)));
    let first = memory.lock().unwrap().reopen();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("data");
    let open = move || {
        let directory = DataDir::open_or_create(&path).unwrap();
        Box::new(FileStore::open(&directory, KINDS).unwrap()) as Box<dyn Store>
    };
    let file = open();
    vec![
        (
            Opened {
                store: Box::new(first),
                reopen: Box::new(move |_| Box::new(memory.lock().unwrap().reopen())),
            },
            None,
        ),
        (
            Opened {
                store: file,
                reopen: Box::new(move |store| {
                    drop(store);
                    open()
                }),
            },
            Some(directory),
        ),
    ]
}

#[test]
fn a_fresh_store_is_at_revision_one_without_rows() {
    for (opened, _directory) in stores() {
        let loaded = runtime().block_on(opened.store.load()).unwrap();
        assert_eq!(
            loaded,
            Loaded {
                revision: FRESH_REVISION,
                digest: None,
                rows: vec![]
            }
        );
    }
}

#[test]
fn rows_revision_and_digest_survive_reopening() {
    for (opened, _directory) in stores() {
        runtime().block_on(async {
            let writes = vec![
                put(KINDS[1], "b", "1"),
                put(KINDS[0], "z", ""),
                put(KINDS[0], "a", "2"),
                Write::Delete {
                    kind: KINDS[0],
                    key: b"absent".to_vec(),
                },
            ];
            let change = vec![
                Write::Delete {
                    kind: KINDS[1],
                    key: b"b".to_vec(),
                },
                put(KINDS[1], "b", "3"),
                Write::Delete {
                    kind: KINDS[0],
                    key: b"z".to_vec(),
                },
            ];
            opened
                .store
                .commit(group(vec![batch(2, writes), batch(3, change)]))
                .await
                .unwrap();
            let store = (opened.reopen)(opened.store);
            let loaded = store.load().await.unwrap();
            let row = |kind, key: &str, value: &str| Row {
                kind,
                key: key.into(),
                value: value.into(),
            };
            assert_eq!(
                loaded,
                Loaded {
                    revision: 3,
                    digest: Some([9; 32]),
                    rows: vec![row(KINDS[0], "a", "2"), row(KINDS[1], "b", "3")],
                }
            );
        });
    }
}

#[test]
fn a_group_that_leaves_a_gap_or_repeats_is_refused_whole() {
    for (opened, _directory) in stores() {
        runtime().block_on(async {
            let store = &opened.store;
            store.commit(group(vec![batch(2, vec![])])).await.unwrap();
            for (batches, found, head) in [
                (vec![batch(2, vec![])], 2, 2),
                (vec![batch(4, vec![])], 4, 2),
                (
                    vec![batch(3, vec![put(KINDS[0], "a", "1")]), batch(5, vec![])],
                    5,
                    3,
                ),
            ] {
                let error = store.commit(group(batches)).await.unwrap_err();
                let expected = format!(
                    "revision {found} does not follow revision {head}, which the store holds"
                );
                assert_eq!(error.to_string(), expected);
            }
            let loaded = store.load().await.unwrap();
            assert_eq!((loaded.revision, loaded.rows), (2, vec![]));
            store.commit(group(vec![batch(3, vec![])])).await.unwrap();
        });
    }
}

#[test]
fn a_table_that_was_not_named_is_refused() {
    for (opened, _directory) in stores() {
        runtime().block_on(async {
            let foreign = group(vec![batch(
                2,
                vec![put(KINDS[0], "a", "1"), put(FOREIGN, "a", "1")],
            )]);
            let error = opened.store.commit(foreign).await.unwrap_err();
            assert!(
                matches!(
                    error,
                    StoreError::UnknownKind {
                        kind: "certificate"
                    }
                ),
                "{error}"
            );
            assert_eq!(opened.store.load().await.unwrap().rows, vec![]);
        });
    }
}

#[test]
fn an_empty_group_changes_nothing() {
    for (opened, _directory) in stores() {
        runtime().block_on(async {
            opened.store.commit(group(vec![])).await.unwrap();
            let loaded = opened.store.load().await.unwrap();
            assert_eq!((loaded.revision, loaded.digest), (FRESH_REVISION, None));
        });
    }
}

#[test]
fn a_closed_store_says_so() {
    for (opened, _directory) in stores() {
        runtime().block_on(async {
            opened.store.close().await.unwrap();
            let error = opened
                .store
                .commit(group(vec![batch(2, vec![])]))
                .await
                .unwrap_err();
            assert!(matches!(error, StoreError::Closed), "{error}");
            assert!(matches!(opened.store.load().await, Err(StoreError::Closed)));
        });
    }
}

#[test]
fn the_earlier_writer_is_refused() {
    let first = MemoryStore::new(KINDS);
    let second = first.reopen();
    runtime().block_on(async {
        let error = first
            .commit(group(vec![batch(2, vec![])]))
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "the store was taken over by writer 2, this is writer 1"
        );
        second.commit(group(vec![batch(2, vec![])])).await.unwrap();
    });
}

fn any_write() -> impl Strategy<Value = Write> {
    let key = proptest::collection::vec(0..3_u8, 0..3);
    let value = proptest::collection::vec(any::<u8>(), 0..600);
    (0..KINDS.len(), key, proptest::option::of(value)).prop_map(|(kind, key, value)| {
        let kind = KINDS[kind];
        match value {
            None => Write::Delete { kind, key },
            Some(value) => Write::Put(Row { kind, key, value }),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Random batches in random groups, reopened in between: both stores hold what a map holds.
    #[test]
    fn stores_hold_what_a_map_holds(
        groups in proptest::collection::vec(
            (proptest::collection::vec(proptest::collection::vec(any_write(), 0..8), 1..4), any::<bool>()),
            1..8,
        )
    ) {
        for (opened, _directory) in stores() {
            let mut store = opened.store;
            let mut revision = FRESH_REVISION;
            let mut rows = std::collections::BTreeMap::new();
            for (batches, restart) in &groups {
                let batches: Vec<_> = batches
                    .iter()
                    .map(|writes| {
                        revision += 1;
                        batch(revision, writes.clone())
                    })
                    .collect();
                for write in batches.iter().flat_map(|batch| &batch.writes) {
                    match write {
                        Write::Delete { kind, key } => rows.remove(&(*kind, key.clone())),
                        Write::Put(row) => rows.insert((row.kind, row.key.clone()), row.value.clone()),
                    };
                }
                let digest = [u8::try_from(revision % 251).unwrap(); 32];
                runtime().block_on(store.commit(Group { batches, digest })).unwrap();
                if *restart {
                    store = (opened.reopen)(store);
                }
                let loaded = runtime().block_on(store.load()).unwrap();
                let expected: Vec<_> = rows
                    .iter()
                    .map(|((kind, key), value)| Row { kind: *kind, key: key.clone(), value: value.clone() })
                    .collect();
                prop_assert_eq!(loaded, Loaded { revision, digest: Some(digest), rows: expected });
            }
        }
    }
}
