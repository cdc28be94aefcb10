//! All entries, and which of them is due first.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chancery_core::{Instant, ServiceName};

use super::entry::{Due, Entry};

/// The entries by service, and in the order of their renewals.
#[derive(Default)]
pub(super) struct Table {
    entries: HashMap<ServiceName, Arc<Entry>>,
    queue: BTreeSet<(Instant, ServiceName)>,
}

impl Table {
    pub(super) fn find(&self, service: &ServiceName) -> Option<&Arc<Entry>> {
        self.entries.get(service)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.entries.values()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn insert(&mut self, entry: Arc<Entry>) {
        self.entries.insert(entry.service().clone(), entry);
    }

    pub(super) fn remove(&mut self, service: &ServiceName) {
        if let Some(entry) = self.entries.remove(service) {
            self.unqueue(&entry);
        }
    }

    /// Sets when `entry` is due; one that is no longer here is not queued.
    pub(super) fn schedule(&mut self, entry: &Entry, due: Due) {
        self.unqueue(entry);
        entry.set_due(due);
        let is_here = self
            .find(entry.service())
            .is_some_and(|known| std::ptr::eq(&raw const **known, entry));
        if let Some((mono, _)) = due.moment.filter(|_| is_here) {
            self.queue.insert((mono, entry.service().clone()));
        }
    }

    /// The entry that is due first, if that is at `now` or before.
    pub(super) fn first_due(&self, now: Instant) -> Option<&Arc<Entry>> {
        let (mono, service) = self.queue.first()?;
        (*mono <= now).then(|| self.find(service)).flatten()
    }

    /// When the first is due.
    pub(super) fn next(&self) -> Option<Instant> {
        self.queue.first().map(|(mono, _)| *mono)
    }

    fn unqueue(&mut self, entry: &Entry) {
        if let Some((mono, _)) = entry.due().moment {
            self.queue.remove(&(mono, entry.service().clone()));
        }
    }
}
