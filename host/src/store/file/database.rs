//! The tables in redb: creating, checking, reading and writing them, one call at a time.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use redb::{
    Builder, DatabaseError, Durability, ReadableDatabase, ReadableTable, StorageBackend,
    StorageError, TableDefinition, TableError, TableHandle, WriteTransaction,
};

use crate::store::head::Head;
use crate::store::{Group, Loaded, Row, RowKind, StoreError, Write};

/// An open store file, owned by one thread.
#[derive(Debug)]
pub(super) struct Database {
    redb: redb::Database,
    kinds: &'static [RowKind],
    head: Head,
    /// The first failure, after which nothing is written any more.
    stopped: Option<Arc<str>>,
}

impl Database {
    /// Writes an empty store to `backend`, which must be empty, and closes it.
    pub(super) fn create(backend: impl StorageBackend) -> Result<(), StoreError> {
        guarded(|| {
            let redb = builder().create_with_backend(backend).map_err(failed)?;
            let transaction = begin(&redb)?;
            write_head(&transaction, &Head::FRESH)?;
            transaction.commit().map_err(failed)?;
            redb.close().map_err(failed)
        })
    }

    /// Opens the store in `backend`, verifies every page, and takes over as its writer.
    ///
    /// `path` is for the errors only.
    pub(super) fn open(
        backend: impl StorageBackend,
        path: &Path,
        kinds: &'static [RowKind],
    ) -> Result<Self, StoreError> {
        guarded(|| {
            // redb would make a database of an empty file; ours are never empty (see `create`).
            if backend.len().map_err(failed)? == 0 {
                return Err(not_a_store(path, "it is empty"));
            }
            let redb = builder()
                .create_with_backend(backend)
                .map_err(|error| refusal(error, path))?;
            let transaction = begin(&redb)?;
            let mut head = read_head(&transaction, path)?;
            check_tables(&transaction, kinds)?;
            head.epoch += 1;
            write_head(&transaction, &head)?;
            transaction.commit().map_err(failed)?;
            Ok(Self {
                redb,
                kinds,
                head,
                stopped: None,
            })
        })
    }

    /// Reads all rows.
    pub(super) fn load(&self) -> Result<Loaded, StoreError> {
        guarded(|| {
            let transaction = self.redb.begin_read().map_err(failed)?;
            let mut rows = Vec::new();
            for kind in self.kinds {
                let name = table_name(*kind);
                let table = match transaction.open_table(rows_of(&name)) {
                    Ok(table) => table,
                    Err(TableError::TableDoesNotExist(_)) => continue,
                    Err(error) => return Err(failed(error)),
                };
                for entry in table.iter().map_err(failed)? {
                    let (key, value) = entry.map_err(failed)?;
                    rows.push(Row {
                        kind: *kind,
                        key: key.value().to_vec(),
                        value: value.value().to_vec(),
                    });
                }
            }
            Ok(Loaded {
                revision: self.head.revision,
                digest: self.head.digest,
                rows,
            })
        })
    }

    /// Commits the groups that follow each other in one transaction; one answer a group, in order.
    ///
    /// A group that must not be written is refused alone. When writing fails, all others fail.
    pub(super) fn commit(&mut self, groups: &[Group]) -> Vec<Result<(), StoreError>> {
        if let Some(cause) = &self.stopped {
            let stopped = || {
                Err(StoreError::Stopped {
                    cause: Arc::clone(cause),
                })
            };
            return groups.iter().map(|_| stopped()).collect();
        }
        let epoch = self.head.epoch;
        let mut head = self.head;
        let mut accepted = Vec::with_capacity(groups.len());
        let mut answers = Vec::with_capacity(groups.len());
        for group in groups {
            answers.push(head.after(group, epoch, self.kinds).map(|next| {
                head = next;
                accepted.push(group);
            }));
        }
        if head == self.head {
            return answers;
        }
        match guarded(|| self.write(&accepted, &head)) {
            Ok(()) => self.head = head,
            Err(error) => {
                self.stopped = Some(error.to_string().into());
                for answer in answers.iter_mut().filter(|answer| answer.is_ok()) {
                    *answer = Err(error.clone());
                }
            }
        }
        answers
    }

    /// Lets go of the file.
    pub(super) fn close(self) -> Result<(), StoreError> {
        guarded(|| self.redb.close().map_err(failed))
    }

    fn write(&self, groups: &[&Group], head: &Head) -> Result<(), StoreError> {
        let transaction = begin(&self.redb)?;
        let found = read_head(&transaction, Path::new(""))?;
        if found != self.head {
            return Err(StoreError::Superseded {
                found: found.epoch,
                held: self.head.epoch,
            });
        }
        for kind in self.kinds {
            let writes = groups
                .iter()
                .flat_map(|group| &group.batches)
                .flat_map(|batch| &batch.writes)
                .filter(|write| write.kind() == *kind);
            write_table(&transaction, *kind, writes)?;
        }
        write_head(&transaction, head)?;
        transaction.commit().map_err(failed)
    }
}

/// redb, told to trust nothing that it finds: every page's checksum is verified on opening. All
/// rows are read at the start anyway, and an altered page is then an error instead of a panic.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .set_cache_size(CACHE_BYTES)
        .set_check_integrity_on_open(true);
    builder
}

/// A transaction that is durable when its commit returns.
///
/// Two phases: values come from clients, and in one phase a torn commit is told from a whole one
/// by a checksum that is not keyed.
fn begin(redb: &redb::Database) -> Result<WriteTransaction, StoreError> {
    let mut transaction = redb.begin_write().map_err(failed)?;
    transaction
        .set_durability(Durability::Immediate)
        .map_err(failed)?;
    transaction.set_two_phase_commit(true);
    Ok(transaction)
}

/// Carries out the writes of one table, in order; tables do not depend on each other.
fn write_table<'a>(
    transaction: &WriteTransaction,
    kind: RowKind,
    writes: impl Iterator<Item = &'a Write>,
) -> Result<(), StoreError> {
    let mut writes = writes.peekable();
    if writes.peek().is_none() {
        return Ok(());
    }
    let name = table_name(kind);
    let mut table = transaction.open_table(rows_of(&name)).map_err(failed)?;
    for write in writes {
        match write {
            Write::Delete { key, .. } => table.remove(key.as_slice()).map_err(failed)?,
            Write::Put(row) => table
                .insert(row.key.as_slice(), row.value.as_slice())
                .map_err(failed)?,
        };
    }
    Ok(())
}

fn read_head(transaction: &WriteTransaction, path: &Path) -> Result<Head, StoreError> {
    let is_ours = transaction
        .list_tables()
        .map_err(failed)?
        .any(|table| table.name() == HEAD.name());
    if !is_ours {
        return Err(not_a_store(path, "it is another program's database"));
    }
    let table = transaction.open_table(HEAD).map_err(failed)?;
    let row = table.get(HEAD_KEY).map_err(failed)?;
    let Some(row) = row else {
        return Err(StoreError::Damaged {
            reason: "it has no head".into(),
        });
    };
    Head::decode(row.value())
}

fn write_head(transaction: &WriteTransaction, head: &Head) -> Result<(), StoreError> {
    let mut table = transaction.open_table(HEAD).map_err(failed)?;
    table
        .insert(HEAD_KEY, head.encode().as_slice())
        .map_err(failed)?;
    Ok(())
}

/// Refuses tables that are not `kinds`: whatever wrote them needs them.
fn check_tables(transaction: &WriteTransaction, kinds: &[RowKind]) -> Result<(), StoreError> {
    for table in transaction.list_tables().map_err(failed)? {
        let known = table.name() == HEAD.name()
            || kinds.iter().any(|kind| table_name(*kind) == table.name());
        if !known {
            return Err(StoreError::UnknownTable {
                table: table.name().into(),
            });
        }
    }
    Ok(())
}

fn table_name(kind: RowKind) -> String {
    format!("rows/{kind}")
}

fn rows_of(name: &str) -> TableDefinition<'_, &'static [u8], &'static [u8]> {
    TableDefinition::new(name)
}

/// redb may still panic on a file that was tampered with; that must cost one clear error.
fn guarded<T>(work: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(StoreError::Damaged {
            reason: format!("reading it failed unexpectedly ({text})").into(),
        })
    })
}

fn refusal(error: DatabaseError, path: &Path) -> StoreError {
    match error {
        DatabaseError::DatabaseAlreadyOpen | DatabaseError::LockProtocolMismatch => {
            StoreError::InUse { path: path.into() }
        }
        DatabaseError::Storage(StorageError::Io(error))
            if error.kind() == std::io::ErrorKind::InvalidData =>
        {
            not_a_store(path, &error.to_string())
        }
        DatabaseError::UpgradeRequired(version) => not_a_store(
            path,
            &format!("its file format {version} was never one of ours"),
        ),
        error => failed(error),
    }
}

fn not_a_store(path: &Path, reason: &str) -> StoreError {
    StoreError::NotAStore {
        path: path.into(),
        reason: reason.into(),
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::Corrupted(reason) => StoreError::Damaged {
            reason: reason.into(),
        },
        error => StoreError::Failed {
            cause: error.to_string().into(),
        },
    }
}

/// Holds the head only.
const HEAD: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("head");

const HEAD_KEY: &str = "head";

/// Rows are read once and then live in the state, so redb needs room for its working set only:
/// the inner pages of its trees, and what one commit writes. The system keeps the file's other
/// pages as long as it has room, and can take them back.
const CACHE_BYTES: usize = 4 * 1024 * 1024;
