//! All entries, and which of them is due first.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use chancery_core::{Instant, ServiceName};

use super::entry::{Due, Entry};

/// How many leafs an agent keeps for services that are not registered with it. A stranger who
/// asks for many names pushes out the leafs that were asked for longest ago, and never that of a
/// registered service.
pub(super) const STRANGERS: usize = 8_192;

/// So many are pushed out together, because finding them takes a look at all.
const PUSHED_OUT: usize = STRANGERS / 8;

/// The entries by service, and in the order of their renewals.
pub(super) struct Table {
    entries: HashMap<ServiceName, Arc<Entry>>,
    queue: BTreeSet<(Instant, ServiceName)>,
    /// With so many entries, strangers are counted.
    full: usize,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            entries: HashMap::new(),
            queue: BTreeSet::new(),
            full: STRANGERS,
        }
    }
}

impl Table {
    /// Whether there may be too many entries for one more.
    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= self.full
    }

    /// Makes room for one more, if too many services are not among `registered`.
    pub(super) fn make_room(&mut self, registered: &HashSet<String>) {
        let mut strangers: Vec<_> = self
            .values()
            .filter(|entry| !registered.contains(entry.service().as_str()))
            .map(|entry| (entry.last_asked(), entry.service().clone()))
            .collect();
        self.full = self.len() - strangers.len() + STRANGERS;
        if strangers.len() >= STRANGERS {
            strangers.select_nth_unstable(PUSHED_OUT);
            for (_, service) in strangers.iter().take(PUSHED_OUT) {
                self.remove(service);
            }
        }
    }

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

    /// Sets when `entry` is due; one that is no longer here is not queued. Answers whether it is
    /// now the first.
    pub(super) fn schedule(&mut self, entry: &Entry, due: Due) -> bool {
        self.unqueue(entry);
        entry.set_due(due);
        let is_here = self
            .find(entry.service())
            .is_some_and(|known| std::ptr::eq(&raw const **known, entry));
        if let Some((mono, _)) = due.moment.filter(|_| is_here) {
            let before = self.next();
            self.queue.insert((mono, entry.service().clone()));
            return before.is_none_or(|first| mono < first);
        }
        false
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
