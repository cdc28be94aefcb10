//! Renewal in the background: one task for all leafs.

use std::sync::Arc;
use std::time::Duration;

use super::entry::Entry;
use super::{IDLE, Leafs};
use crate::random;

/// After a change of issuer, leafs are renewed at random moments within this time: it keeps a
/// thousand proxies from asking in the same instant. As in Consul.
const ISSUER_CHANGE_SPREAD: Duration = Duration::from_secs(30);

/// How often all leafs are looked at, whatever the schedule says: finds clocks that were set,
/// a machine that slept, an issuer that changed, leafs that nobody wants.
const ROUND: Duration = Duration::from_secs(30);

/// Renewals under way at once.
const PARALLEL: usize = 16;

impl Leafs {
    /// Renews leafs when they are due. Runs until dropped.
    pub async fn renew(self) {
        let permits = Arc::new(tokio::sync::Semaphore::new(PARALLEL));
        loop {
            let entries: Vec<_> = self.lock().values().cloned().collect();
            for entry in self.due_now(entries) {
                let Ok(permit) = Arc::clone(&permits).acquire_owned().await else {
                    return;
                };
                let leafs = self.clone();
                let before = entry.claim(ROUND, self.inner.clock.now());
                tokio::spawn(async move {
                    leafs.renew_one(&entry, before).await;
                    drop(permit);
                });
            }
            let next = self.inner.clock.deadline(self.next_round());
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = self.inner.rescheduled.notified() => {}
            }
        }
    }

    /// Drops what nobody wants, hastens what a new issuer has made old, and returns what is due.
    fn due_now(&self, entries: Vec<Arc<Entry>>) -> Vec<Arc<Entry>> {
        let now = self.inner.clock.now();
        let issuer = self.inner.source.issuer_key_id();
        let mut due = Vec::new();
        for entry in entries {
            let idle = now.mono.saturating_since(entry.last_asked()) >= IDLE;
            if idle && !self.inner.source.is_registered(entry.service().as_str()) {
                self.lock().remove(entry.service());
                continue;
            }
            let old_issuer = entry
                .leaf()
                .zip(issuer.as_ref())
                .is_some_and(|(leaf, issuer)| &leaf.issuer_key_id != issuer);
            if old_issuer {
                entry.hasten(ISSUER_CHANGE_SPREAD.mul_f64(random::fraction()), now);
            }
            if entry.due().has_come(now) {
                due.push(entry);
            }
        }
        due
    }

    async fn renew_one(&self, entry: &Entry, before: u64) {
        let _flight = entry.flight().await;
        if entry.index() != before {
            return;
        }
        let service = entry.service();
        match self.fetch(entry).await {
            Ok(leaf) => tracing::debug!(%service, serial = leaf.serial, "renewed a leaf"),
            Err(error) => tracing::warn!(
                %service,
                %error,
                valid_before = entry.leaf().map(|leaf| leaf.valid_before.to_string()),
                "a leaf could not be renewed, the one there is stays in use"
            ),
        }
    }

    fn next_round(&self) -> chancery_core::Instant {
        let latest = self.inner.clock.now().mono.saturating_add(ROUND);
        self.lock()
            .values()
            .filter_map(|entry| entry.due().moment)
            .map(|(mono, _)| mono)
            .fold(latest, std::cmp::min)
    }
}
