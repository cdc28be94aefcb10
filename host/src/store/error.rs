//! Why a store refused.

use std::path::PathBuf;
use std::sync::Arc;

use super::DataDirError;

/// Why a store could not be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store was closed by this process.
    #[error("the store is closed")]
    Closed,
    /// The contents contradict their checksums or their own rules. They are left as they are.
    #[error(
        "the store is damaged: {reason}; restore a snapshot, or move the file aside to start afresh"
    )]
    Damaged {
        /// What was found.
        reason: Arc<str>,
    },
    /// The data directory or a file in it cannot be used.
    #[error(transparent)]
    DataDir(Arc<DataDirError>),
    /// A read, write or sync failed. Of a commit the outcome is unknown until the store is
    /// opened again.
    #[error("the store failed: {cause}")]
    Failed {
        /// The failure, as the system tells it.
        cause: Arc<str>,
    },
    /// Another process has the store open.
    #[error("the store {} is open in another process", path.display())]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The store was written by a newer version.
    #[error(
        "the store has format {found}, this version reads up to {supported}: run a newer version, or restore a snapshot that it wrote"
    )]
    NewerFormat {
        /// The format in the store.
        found: u32,
        /// The newest format that this version knows.
        supported: u32,
    },
    /// The file is something else, or empty. It is left as it is.
    #[error("{} is not a store of ours: {reason}; move it aside to start afresh", path.display())]
    NotAStore {
        /// The file.
        path: PathBuf,
        /// Why it cannot be one.
        reason: Arc<str>,
    },
    /// The batches do not follow what is durable.
    #[error("revision {found} does not follow revision {head}, which the store holds")]
    RevisionGap {
        /// The revision offered.
        found: u64,
        /// The revision it had to follow.
        head: u64,
    },
    /// An earlier failure made the outcome of writes unknowable; nothing is tried any more.
    #[error("the store stopped after a failure and must be opened again: {cause}")]
    Stopped {
        /// The first failure.
        cause: Arc<str>,
    },
    /// Another writer has taken over.
    #[error("the store was taken over by writer {found}, this is writer {held}")]
    Superseded {
        /// The epoch of the writer that has the store now.
        found: u64,
        /// This writer's epoch.
        held: u64,
    },
    /// A write names a table that was not listed when the store was opened.
    #[error("the table {kind} was not named when the store was opened")]
    UnknownKind {
        /// The table named by the write.
        kind: &'static str,
    },
    /// The store has a table that this version does not know: a newer version wrote it.
    #[error(
        "the store has a table {table} that this version does not know: run the version that wrote it"
    )]
    UnknownTable {
        /// The table found.
        table: Arc<str>,
    },
}
