//! Files that are not stores of ours, or not of this version, and are left as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::disk::{Call, Disk, Fault};
use super::workload::{History, KINDS, fresh_image};
use crate::store::data_dir::STORE_FILE;
use crate::store::{DataDir, FileStore, RowKind, Store as _, StoreError};

fn place(bytes: &[u8]) -> (tempfile::TempDir, DataDir) {
    let root = tempfile::tempdir().unwrap();
    let directory = DataDir::open_or_create(&root.path().join("data")).unwrap();
    let path = directory.path().join(STORE_FILE);
    fs::write(&path, bytes).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    (root, directory)
}

#[test]
fn an_empty_or_foreign_file_is_refused_and_kept() {
    for bytes in [
        &b""[..],
        b"x",
        &[0; 8192],
        b"SQLite format 3\0 and so on",
        &[0xff; 100_000],
    ] {
        let (_root, directory) = place(bytes);
        let error = FileStore::open(&directory, KINDS).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert_eq!(fs::read(directory.path().join(STORE_FILE)).unwrap(), bytes);
    }
}

#[test]
fn another_programs_database_is_refused() {
    let (_root, directory) = place(b"");
    let path = directory.path().join(STORE_FILE);
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let table = redb::TableDefinition::<u64, u64>::new("theirs");
    transaction.open_table(table).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = FileStore::open(&directory, KINDS).unwrap_err();
    let expected = format!(
        "{} is not a store of ours: it is another program's database; move it aside to start afresh",
        path.display()
    );
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_store_of_a_newer_format_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let directory = DataDir::open_or_create(&root.path().join("data")).unwrap();
    drop(FileStore::open(&directory, KINDS).unwrap());
    let database = redb::Database::create(directory.path().join(STORE_FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let head = redb::TableDefinition::<&str, &[u8]>::new("head");
        let mut table = transaction.open_table(head).unwrap();
        table.insert("head", &[0, 0, 0, 2, 1][..]).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);
    let error = FileStore::open(&directory, KINDS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store has format 2, this version reads up to 1: run a newer version, or restore a \
         snapshot that it wrote"
    );
}

#[test]
fn a_table_that_this_version_does_not_know_is_refused() {
    const MORE: &[RowKind] = &[RowKind::new("policy")];
    let root = tempfile::tempdir().unwrap();
    let directory = DataDir::open_or_create(&root.path().join("data")).unwrap();
    let database = redb::Database::create(directory.path().join("unused")).unwrap();
    drop(database);
    let store = FileStore::open(&directory, MORE).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let row = crate::store::Row {
        kind: MORE[0],
        key: vec![1],
        value: vec![],
    };
    let batch = crate::store::Batch {
        revision: 2,
        writes: vec![crate::store::Write::Put(row)],
    };
    let group = crate::store::Group {
        batches: vec![batch],
        digest: [0; 32],
    };
    runtime.block_on(store.commit(group)).unwrap();
    drop(store);
    let error = FileStore::open(&directory, KINDS).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store has a table rows/policy that this version does not know: run the version that \
         wrote it"
    );
    FileStore::open(&directory, MORE).unwrap();
}

#[test]
fn a_store_that_is_open_cannot_be_opened_again() {
    let root = tempfile::tempdir().unwrap();
    let directory = DataDir::open_or_create(&root.path().join("data")).unwrap();
    let first = FileStore::open(&directory, KINDS).unwrap();
    let error = FileStore::open(&directory, KINDS).unwrap_err();
    assert!(matches!(error, StoreError::InUse { .. }), "{error}");
    drop(first);
    FileStore::open(&directory, KINDS).unwrap();
}

/// Commits 64 groups at the same time, in order, on a store over `disk`, which gets `fault` once
/// it is open; the answers, in order.
fn commit_together(disk: &Disk, fault: Option<Fault>) -> Vec<Result<(), StoreError>> {
    let path = std::path::Path::new("chancery.redb");
    let store = std::sync::Arc::new(FileStore::over(disk.clone(), path, KINDS).unwrap());
    if let Some(fault) = fault {
        disk.fail(fault);
    }
    let mut history = History::new(7, 300);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    runtime.block_on(async {
        let commits: Vec<_> = (0..64)
            .map(|_| {
                let (store, group) = (std::sync::Arc::clone(&store), history.group());
                tokio::spawn(async move { store.commit(group).await })
            })
            .collect();
        let mut answers = Vec::new();
        for commit in commits {
            answers.push(commit.await.unwrap());
        }
        // The disk may be failing; what counts is that the thread ends.
        let _ = store.close().await;
        answers
    })
}

#[test]
fn commits_at_the_same_time_share_syncs() {
    let alone = Disk::new(fresh_image());
    let answers = commit_together(&alone, None);
    assert!(answers.iter().all(Result::is_ok));
    // Two for each transaction and a few for opening and closing; one by one it would be 128.
    assert!(alone.syncs() < 100, "{} syncs", alone.syncs());
}

#[test]
fn a_failing_disk_fails_every_waiting_commit() {
    let disk = Disk::new(fresh_image());
    let fault = Fault {
        call: Call::Sync,
        after: 0,
        sticky: false,
        errno: libc::EIO,
        met: false,
    };
    let answers = commit_together(&disk, Some(fault));
    assert!(disk.heal(), "the failing sync was not reached");
    for answer in answers {
        let error = answer.unwrap_err();
        let stopped = matches!(
            error,
            StoreError::Failed { .. } | StoreError::Stopped { .. }
        );
        assert!(stopped, "{error}");
    }
}
