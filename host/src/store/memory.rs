//! A store that lives and dies with the process, for tests and for `agent -dev`.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::head::Head;
use super::{Group, Loaded, Row, RowKind, Store, StoreError, Write};

/// Rows in memory. Keeps every promise of a [`Store`] but durability.
#[derive(Debug)]
pub struct MemoryStore {
    contents: Arc<Mutex<Contents>>,
    kinds: &'static [RowKind],
    epoch: u64,
    closed: AtomicBool,
}

#[derive(Debug)]
struct Contents {
    head: Head,
    /// By the kind's place in the list given at opening, then by key.
    rows: BTreeMap<(usize, Vec<u8>), Vec<u8>>,
}

impl MemoryStore {
    /// An empty store with the tables `kinds`.
    #[must_use]
    pub fn new(kinds: &'static [RowKind]) -> Self {
        let contents = Contents {
            head: Head::FRESH,
            rows: BTreeMap::new(),
        };
        Self::over(Arc::new(Mutex::new(contents)), kinds)
    }

    /// Opens the same rows once more, as a restarted process would; this handle is superseded.
    #[must_use]
    pub fn reopen(&self) -> Self {
        Self::over(Arc::clone(&self.contents), self.kinds)
    }

    fn over(contents: Arc<Mutex<Contents>>, kinds: &'static [RowKind]) -> Self {
        let epoch = {
            let mut contents = contents.lock().unwrap_or_else(PoisonError::into_inner);
            contents.head.epoch += 1;
            contents.head.epoch
        };
        Self {
            contents,
            kinds,
            epoch,
            closed: AtomicBool::new(false),
        }
    }

    fn contents(&self) -> Result<MutexGuard<'_, Contents>, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        Ok(self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn table(&self, kind: RowKind) -> Result<usize, StoreError> {
        self.kinds
            .iter()
            .position(|known| *known == kind)
            .ok_or_else(|| StoreError::UnknownKind { kind: kind.name() })
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn load(&self) -> Result<Loaded, StoreError> {
        let contents = self.contents()?;
        let rows = contents.rows.iter().filter_map(|((table, key), value)| {
            Some(Row {
                kind: *self.kinds.get(*table)?,
                key: key.clone(),
                value: value.clone(),
            })
        });
        Ok(Loaded {
            revision: contents.head.revision,
            digest: contents.head.digest,
            rows: rows.collect(),
        })
    }

    async fn commit(&self, group: Group) -> Result<(), StoreError> {
        let mut contents = self.contents()?;
        let head = contents.head.after(&group, self.epoch, self.kinds)?;
        for write in group.batches.into_iter().flat_map(|batch| batch.writes) {
            let table = self.table(write.kind())?;
            match write {
                Write::Delete { key, .. } => contents.rows.remove(&(table, key)),
                Write::Put(row) => contents.rows.insert((table, row.key), row.value),
            };
        }
        contents.head = head;
        Ok(())
    }

    async fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }
}
