//! One service's leaf and when it must be renewed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chancery_core::{Instant, Now, ServiceName, Timestamp};
use tokio::sync::watch;

use super::Leaf;
use super::hold::WINDOW;
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
    /// Since when it fails, and why.
    failure: Mutex<Option<(Timestamp, String)>>,
}

/// When the leaf is to be renewed, by either clock: the monotonic one stands still while a
/// machine sleeps, and the wall clock may be set back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Due {
    pub(super) moment: Option<(Instant, Timestamp)>,
    /// Renewals that failed in a row.
    pub(super) failures: u32,
    /// Whether the leaf has a slot already, after a change of who signs.
    pub(super) has_slot: bool,
}

impl Due {
    /// After `pause`, on either clock.
    fn after(self, pause: Duration, now: Now) -> Self {
        let moment = Some((
            now.mono.saturating_add(pause),
            now.wall.saturating_add(pause),
        ));
        Self { moment, ..self }
    }

    /// By the wall clock: the queue goes by the other one.
    pub(super) fn has_come(&self, now: Now) -> bool {
        self.moment.is_some_and(|(_, wall)| now.wall >= wall)
    }

    /// A leaf has come: the next is due within its window.
    pub(super) fn renewed(leaf: &Leaf, now: Now) -> Self {
        // A leaf is dated back: what counts is the life that it had left when it was issued.
        let from = leaf.valid_after.max(leaf.issued_at);
        let life = leaf.valid_before.saturating_since(from);
        let part = RENEW_FROM + (RENEW_UNTIL - RENEW_FROM) * random::fraction();
        let moment = from.saturating_add(life.mul_f64(part));
        Self::default().after(moment.saturating_since(now.wall), now)
    }

    /// No leaf has come: later and later.
    pub(super) fn failed(self, now: Now) -> Self {
        let failures = self.failures.saturating_add(1);
        let pause = RETRY_FIRST
            .saturating_mul(1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX))
            .min(RETRY_LONGEST);
        let pause = pause.mul_f64(0.5 + random::fraction() / 2.0);
        Self { failures, ..self }.after(pause, now)
    }

    /// The limit was reached: after it. That is no failure of this leaf.
    pub(super) fn limited(self, now: Now) -> Self {
        self.after(WINDOW, now)
    }

    /// At its slot, unless it is due before.
    pub(super) fn hastened(self, slot: Duration, now: Now) -> Self {
        let slotted = Self {
            has_slot: true,
            ..self
        };
        match self.moment {
            Some((mono, _)) if mono <= now.mono.saturating_add(slot) => slotted,
            _ => slotted.after(slot, now),
        }
    }

    /// Now, by whichever clock.
    pub(super) fn at_once(self, now: Now) -> Self {
        self.after(Duration::ZERO, now)
    }

    /// Under way: again after `pause`, unless this renewal ends before.
    pub(super) fn claimed(self, pause: Duration, now: Now) -> Self {
        self.after(pause, now)
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
            failure: Mutex::default(),
        };
        entry.asked(clock);
        entry
    }

    pub(super) fn asked(&self, clock: Clock) {
        let now = clock.now().mono.since_start().as_millis();
        self.asked
            .store(u64::try_from(now).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// A leaf has come: it is served from now on.
    pub(super) fn serve(&self, leaf: Arc<Leaf>) {
        self.leaf.send_replace(Some(leaf));
        *self.lock_failure() = None;
    }

    /// Why no leaf has come. What is served stays.
    pub(super) fn note_failure(&self, reason: String, now: Now) {
        let mut failure = self.lock_failure();
        let since = failure.as_ref().map_or(now.wall, |(since, _)| *since);
        *failure = Some((since, reason));
    }

    /// Since when renewals have failed, and why the last one did.
    pub(super) fn failure(&self) -> Option<(Timestamp, String)> {
        self.lock_failure().clone()
    }

    fn lock_failure(&self) -> std::sync::MutexGuard<'_, Option<(Timestamp, String)>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
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

    /// Only the [`Table`](super::table::Table) sets it: it keeps the queue.
    pub(super) fn set_due(&self, due: Due) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }
}
