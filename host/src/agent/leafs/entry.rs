//! One service's leaf and when it must be renewed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_core::{Instant, Now, ServiceName, Timestamp};
use tokio::sync::watch;

use super::Leaf;
use crate::clock::Clock;
use crate::random;

/// A leaf is renewed at a random moment between these parts of its life, so that leafs made
/// together are not renewed together. As in Consul.
const RENEW_FROM: f64 = 0.6;
const RENEW_UNTIL: f64 = 0.9;

/// The first pause after a failed renewal, doubled with each further one up to the longest.
const RETRY_FIRST: Duration = Duration::from_secs(1);
const RETRY_LONGEST: Duration = Duration::from_secs(60);

pub(super) struct Entry {
    service: ServiceName,
    leaf: watch::Sender<Option<Arc<Leaf>>>,
    flight: tokio::sync::Mutex<()>,
    /// Milliseconds of the monotonic clock.
    asked: AtomicU64,
    due: Mutex<Due>,
}

/// When the leaf is to be renewed, by either clock: the monotonic one stands still while a
/// machine sleeps, and the wall clock may be set back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    pub(super) moment: Option<(Instant, Timestamp)>,
    failures: u32,
}

impl Due {
    pub(super) fn has_come(&self, now: Now) -> bool {
        self.moment
            .is_some_and(|(mono, wall)| now.mono >= mono || now.wall >= wall)
    }
}

impl Entry {
    pub(super) fn new(service: ServiceName, clock: Clock) -> Self {
        let entry = Self {
            service,
            leaf: watch::Sender::new(None),
            flight: tokio::sync::Mutex::default(),
            asked: AtomicU64::new(0),
            due: Mutex::default(),
        };
        entry.asked(clock);
        entry
    }

    pub(super) fn asked(&self, clock: Clock) {
        let now = clock.now().mono.since_start().as_millis();
        self.asked
            .store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A leaf has come: it is served from now on and renewed within its window.
    pub(super) fn renewed(&self, leaf: Arc<Leaf>, now: Now) {
        // A leaf is dated back: what counts is the life that it had left when it was issued.
        let from = leaf.valid_after.max(leaf.issued_at);
        let life = leaf.valid_before.saturating_since(from);
        let part = RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * random::fraction();
        let moment = from.saturating_add(life.mul_f64(part));
        self.schedule(moment.saturating_since(now.wall), 0, now);
        self.leaf.send_replace(Some(leaf));
    }

    /// No leaf has come: try again later. What is served stays.
    pub(super) fn failed(&self, now: Now) {
        let failures = self.due().failures.saturating_add(1);
        let pause = RETRY_FIRST
            .saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX))
            .min(RETRY_LONGEST);
        self.schedule(pause.mul_f64(0.5 + random::fraction() / 2.0), failures, now);
    }

    /// Renewal no later than after `pause`, as when the issuer has changed.
    pub(super) fn hasten(&self, pause: Duration, now: Now) {
        let due = self.due();
        let later = due
            .moment
            .is_none_or(|(mono, _)| mono > now.mono.saturating_add(pause));
        if later {
            self.schedule(pause, due.failures, now);
        }
    }

    /// Takes the renewal that is due: the next one is due after `pause` unless this one ends
    /// before. Returns the index of the leaf that is to be replaced.
    pub(super) fn claim(&self, pause: Duration, now: Now) -> u64 {
        self.schedule(pause, self.due().failures, now);
        self.index()
    }

    /// The index of the leaf, 0 while there is none.
    pub(super) fn index(&self) -> u64 {
        self.leaf.borrow().as_ref().map_or(0, |leaf| leaf.index)
    }

    pub(super) const fn service(&self) -> &ServiceName {
        &self.service
    }

    pub(super) fn leaf(&self) -> Option<Arc<Leaf>> {
        self.leaf.borrow().clone()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Option<Arc<Leaf>>> {
        self.leaf.subscribe()
    }

    pub(super) async fn flight(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.flight.lock().await
    }

    pub(super) fn last_asked(&self) -> Instant {
        Instant::new(Duration::from_millis(self.asked.load(Ordering::Relaxed)))
    }

    pub(super) fn due(&self) -> Due {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn schedule(&self, pause: Duration, failures: u32, now: Now) {
        let moment = Some((
            now.mono.saturating_add(pause),
            now.wall.saturating_add(pause),
        ));
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = Due { moment, failures };
    }
}
