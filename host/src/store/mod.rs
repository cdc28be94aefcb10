//! Where the state survives: rows and one head, committed together, durable before anybody is told.
//!
//! A store knows nothing of intentions or certificates. It keeps opaque [`Row`]s, one table a
//! [`RowKind`], beside a head of revision, writer's epoch and state digest, and it promises:
//!
//! - **A commit that returned `Ok` is durable**, whatever happens to the process or the power.
//! - **A batch is all or nothing**, and the batches of a store form one gapless sequence.
//! - **One writer.** Opening a store takes it over: an earlier writer's commits are refused.
//! - **After a failure it stops.** Once a write or a sync has failed, what the disk holds is no
//!   longer known to this process, and a second sync that succeeds proves nothing (on Linux it
//!   may have dropped the pages of the first). Every later commit is refused until reopened.
//!
//! Secrets are sealed (see [`Sealer`]) before they become a row.

mod data_dir;
mod error;
mod file;
mod head;
mod memory;
mod row;
mod seal;

use async_trait::async_trait;

pub use data_dir::{DataDir, DataDirError, Folder, Room};
pub use error::StoreError;
pub use file::FileStore;
pub use memory::MemoryStore;
pub use row::{Batch, Group, Loaded, Row, RowKind, StateDigest, Write};
pub use seal::{SealError, Sealer};

/// The revision of a store to which nothing was ever committed; the first batch is the next one.
///
/// Consul's clients take an index below 2 for "no data yet", so the first write gets 2.
pub const FRESH_REVISION: u64 = 1;

/// A durable home of rows. See the module for what every implementation promises.
#[async_trait]
pub trait Store: Send + Sync {
    /// Reads everything, for the start.
    ///
    /// # Errors
    /// When the store cannot be read, or is damaged.
    async fn load(&self) -> Result<Loaded, StoreError>;

    /// Commits the batches of `group` in order as one durable step and returns when they are
    /// durable.
    ///
    /// A group takes its place in the queue when this future is first polled. Groups of several
    /// callers may share one sync. If the future is dropped before it is done, the group may or
    /// may not become durable.
    ///
    /// # Errors
    /// [`StoreError::RevisionGap`] when the first batch does not follow the head, and
    /// [`StoreError::Superseded`] when another writer has opened the store: nothing was written.
    /// [`StoreError::Failed`] when writing failed: whether the group is durable is known only
    /// after the store was opened again. [`StoreError::Stopped`] ever after: nothing was tried.
    async fn commit(&self, group: Group) -> Result<(), StoreError>;

    /// Finishes what is queued and lets go of the store; later calls get [`StoreError::Closed`].
    ///
    /// # Errors
    /// When letting go failed. What was acknowledged is durable all the same.
    async fn close(&self) -> Result<(), StoreError>;
}

#[cfg(test)]
mod tests;
