//! One structure for all that has to happen at some time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::poll::SyncKey;
use crate::Instant;

/// What is due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// A check has to be looked at: its TTL is over, or its next probe is due.
    Look { check_id: Arc<str> },
    /// An output that has waited long enough goes to the catalog, or a failed write again.
    Offer(SyncKey),
    /// The service of a check that was critical for too long is removed.
    Remove { check_id: Arc<str> },
}

/// Alarms by time. An alarm is set at most once; setting it again moves it.
#[derive(Clone, Debug, Default)]
pub(super) struct Timers {
    by_time: BTreeSet<(Instant, Alarm)>,
    times: BTreeMap<Alarm, Instant>,
}

impl Timers {
    pub(super) fn set(&mut self, alarm: Alarm, at: Instant) {
        self.clear(&alarm);
        self.by_time.insert((at, alarm.clone()));
        self.times.insert(alarm, at);
    }

    pub(super) fn clear(&mut self, alarm: &Alarm) {
        if let Some(at) = self.times.remove(alarm) {
            self.by_time.remove(&(at, alarm.clone()));
        }
    }

    /// Takes the first alarm that is due. One set for `now` is due.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Alarm> {
        let (at, _) = self.by_time.first()?;
        if *at > now {
            return None;
        }
        let (_, alarm) = self.by_time.pop_first()?;
        self.times.remove(&alarm);
        Some(alarm)
    }

    pub(super) fn is_set(&self, alarm: &Alarm) -> bool {
        self.times.contains_key(alarm)
    }

    pub(super) fn first(&self) -> Option<Instant> {
        self.by_time.first().map(|(at, _)| *at)
    }
}
