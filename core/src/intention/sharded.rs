//! A persistent hash table: 1,024 small tables of which a write copies one.

use std::sync::Arc;

use hashbrown::HashTable;

use super::paged::Paged;

const SHARDS: u64 = 1024;

/// A hash table of small `Copy` entries whose clone is one reference count.
///
/// Hashes and equality are the caller's: entries are numbers that stand for something kept
/// elsewhere. There is no way to iterate, so no hash order can reach any output.
#[derive(Clone, Debug)]
pub(super) struct Sharded<E> {
    shards: Paged<Arc<HashTable<E>>>,
}

impl<E: Copy> Sharded<E> {
    pub(super) fn new() -> Self {
        Self {
            shards: Paged::new(),
        }
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, eq: impl FnMut(&E) -> bool) -> Option<E> {
        self.shards.at(shard(hash))?.find(hash, eq).copied()
    }

    /// Adds an entry that the caller knows to be absent.
    pub(super) fn insert(&mut self, hash: u64, entry: E, rehash: impl Fn(&E) -> u64) {
        let index = shard(hash);
        if self.shards.at(index).is_none() {
            self.shards.set(index, Arc::default());
        }
        if let Some(table) = self.shards.slot(index) {
            Arc::make_mut(table).insert_unique(hash, entry, rehash);
        }
    }

    pub(super) fn remove(&mut self, hash: u64, eq: impl FnMut(&E) -> bool) -> Option<E> {
        let table = Arc::make_mut(self.shards.slot(shard(hash))?);
        let found = table.find_entry(hash, eq).ok()?;
        Some(found.remove().0)
    }
}

// The table itself uses the lowest and the seven highest bits of a hash.
fn shard(hash: u64) -> usize {
    usize::try_from((hash >> 40) % SHARDS).unwrap_or(0)
}
