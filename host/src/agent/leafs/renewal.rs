//! Renewal in the background: one task for all leafs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chancery_core::Instant;

use super::alarm::Alarm;
use super::entry::Entry;
use super::{IDLE, Leafs};

/// How often all leafs are looked at, whatever the schedule says: finds clocks that were set,
/// a machine that slept, leafs that nobody wants.
const ROUND: Duration = Duration::from_secs(30);

/// Renewals under way at once.
const PARALLEL: usize = 16;

impl Leafs {
    /// Renews leafs when they are due. Runs until dropped.
    pub async fn renew(self) {
        let permits = Arc::new(tokio::sync::Semaphore::new(PARALLEL));
        let mut issuer = None;
        let mut next_round = self.inner.clock.now().mono;
        let mut alarm = Alarm::default();
        loop {
            if self.inner.clock.now().mono >= next_round {
                issuer = self.inner.source.issuer_key_id();
                self.look_at_all(issuer.as_deref()).await;
                alarm.look(&self.facts(), self.inner.clock.now().wall);
                next_round = self.inner.clock.now().mono.saturating_add(ROUND);
            }
            while let Some(entry) = self.next_due() {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                let leafs = self.clone();
                let before = entry.index();
                tokio::spawn(async move {
                    leafs.renew_one(&entry, before).await;
                    drop(permit);
                });
            }
            let until = self.inner.clock.deadline(self.next_look(next_round));
            tokio::select! {
                () = tokio::time::sleep_until(until) => {}
                () = self.inner.rescheduled.notified() => {}
                () = self.inner.source.issuer_changed(issuer.as_deref()) => {
                    next_round = self.inner.clock.now().mono;
                }
            }
        }
    }

    /// Takes the entry whose renewal is due first, unless the server signs no more for now.
    fn next_due(&self) -> Option<Arc<Entry>> {
        let now = self.inner.clock.now();
        let mut table = self.lock();
        let entry = Arc::clone(table.first_due(now.mono)?);
        if !self.inner.hold.may_go(now.mono) {
            return None;
        }
        table.schedule(&entry, entry.due().claimed(ROUND, now));
        Some(entry)
    }

    /// When to look again: at the next renewal that may go, or at the next round.
    fn next_look(&self, next_round: Instant) -> Instant {
        let Some(due) = self.lock().next() else {
            return next_round;
        };
        let may_go = self.inner.hold.until();
        may_go.map_or(due, |until| due.max(until)).min(next_round)
    }

    /// Drops what nobody wants, takes up what the wall clock says is due, and asks for a slot for
    /// each leaf that an earlier issuer signed.
    async fn look_at_all(&self, issuer: Option<&str>) {
        let now = self.inner.clock.now();
        let entries: Vec<_> = self.lock().values().cloned().collect();
        let registered = self.inner.source.registered();
        let mut outdated: BTreeMap<String, Vec<Arc<Entry>>> = BTreeMap::new();
        for entry in entries {
            let idle = now.mono.saturating_since(entry.last_asked()) >= IDLE;
            if idle && !registered.contains(entry.service().as_str()) {
                self.lock().remove(entry.service());
                continue;
            }
            if entry.due().has_come(now) {
                self.lock().schedule(&entry, entry.due().at_once(now));
            }
            if let Some(leaf) = entry.leaf()
                && issuer.is_some_and(|issuer| issuer != leaf.issuer_key_id)
                && !entry.due().has_slot
            {
                let of_one = outdated.entry(leaf.issuer_key_id.clone());
                of_one.or_default().push(entry);
            }
        }
        for (issuer, entries) in outdated {
            self.give_slots(&issuer, entries).await;
        }
    }

    async fn give_slots(&self, issuer: &str, mut entries: Vec<Arc<Entry>>) {
        // What ends first comes first; the name settles the rest, so that nothing is random.
        entries.sort_by_cached_key(|entry| {
            let ends = entry.leaf().map(|leaf| leaf.valid_before);
            (ends, entry.service().clone())
        });
        let count = entries.len();
        let slots = self.inner.source.reissue_slots(issuer, count).await;
        tracing::info!(
            leafs = count,
            seconds = slots.last().map_or(0, Duration::as_secs),
            "who signs has changed, leafs are replaced"
        );
        let now = self.inner.clock.now();
        for (entry, slot) in entries.iter().zip(slots) {
            self.lock().schedule(entry, entry.due().hastened(slot, now));
        }
    }

    async fn renew_one(&self, entry: &Entry, before: u64) {
        let _flight = entry.flight().await;
        if entry.index() != before {
            return;
        }
        let service = entry.service();
        match self.fetch(entry).await {
            Ok(leaf) => tracing::debug!(%service, serial = leaf.serial, "renewed a leaf"),
            // Said once for all of them by the alarm: one line a leaf would be a flood.
            Err(error) => tracing::debug!(%service, %error, "a leaf could not be renewed"),
        }
    }
}
