//! Leaving a plugin alone that crashes again and again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::{ErrorKind, ProviderError};

/// Traps and calls that were cut off.
///
/// [`MOST`] of them within [`WINDOW`] and the plugin is left alone for a pause; each crash after
/// that makes another, longer one, until a call succeeds.
#[derive(Default)]
pub(super) struct Crashes {
    recent: VecDeque<Instant>,
    paused: Option<Instant>,
    pauses: u32,
    last: String,
}

impl Crashes {
    /// Refuses a call during a pause.
    pub(super) fn enter(&self, now: Instant) -> Result<(), ProviderError> {
        let Some(left) = self
            .paused
            .and_then(|until| until.checked_duration_since(now))
            .filter(|left| !left.is_zero())
        else {
            return Ok(());
        };
        Err(ProviderError::new(
            ErrorKind::Unavailable {
                retry_after: Some(left),
            },
            format!(
                "the plugin crashed {MOST} times within {} s and is left alone for another {} s; \
                 the last time: {}",
                WINDOW.as_secs(),
                left.as_millis().div_ceil(1000),
                self.last
            ),
        ))
    }

    /// Takes note of a crash; gives the pause if one begins.
    pub(super) fn crashed(&mut self, what: &str, now: Instant) -> Option<Duration> {
        what.clone_into(&mut self.last);
        self.recent.push_back(now);
        while self
            .recent
            .front()
            .is_some_and(|first| now.saturating_duration_since(*first) > WINDOW)
        {
            self.recent.pop_front();
        }
        // Calls that were under way when a pause began say nothing new.
        let under_way = self.paused.is_some_and(|until| until > now);
        if self.recent.len() < MOST || under_way {
            return None;
        }
        self.recent.drain(..self.recent.len() - MOST + 1);
        let pause = SHORTEST
            .saturating_mul(1 << self.pauses.min(6))
            .min(LONGEST);
        self.pauses += 1;
        self.paused = Some(now + pause);
        Some(pause)
    }

    /// A call came to its end: what comes next begins anew.
    pub(super) fn went_well(&mut self) {
        if self.pauses > 0 {
            *self = Self::default();
        }
    }
}

const MOST: usize = 5;
const WINDOW: Duration = Duration::from_secs(60);
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn four_crashes_are_borne_and_the_fifth_begins_a_pause() {
        let mut crashes = Crashes::default();
        let now = Instant::now();
        for _ in 0..4 {
            assert_eq!(crashes.crashed("it trapped", now), None);
        }
        crashes.enter(now).unwrap();
        assert_eq!(crashes.crashed("it trapped", now), Some(seconds(1)));
        let refused = crashes.enter(now).unwrap_err();
        assert_eq!(refused.kind().retry_after(), Some(seconds(1)));
        assert_eq!(
            refused.to_string(),
            "the plugin crashed 5 times within 60 s and is left alone for another 1 s; the last \
             time: it trapped"
        );
        crashes.enter(now + seconds(1)).unwrap();
    }

    #[test]
    fn crashes_that_lie_far_apart_are_borne() {
        let mut crashes = Crashes::default();
        let now = Instant::now();
        for crash in 0..100 {
            assert_eq!(crashes.crashed("", now + seconds(16 * crash)), None);
        }
    }

    #[test]
    fn pauses_grow_to_a_minute_and_end_with_a_good_call() {
        let mut crashes = Crashes::default();
        let mut now = Instant::now();
        for _ in 0..4 {
            crashes.crashed("", now);
        }
        let mut pauses = Vec::new();
        for _ in 0..4 {
            let pause = crashes.crashed("", now).unwrap();
            now += pause;
            pauses.push(pause.as_secs());
        }
        assert_eq!(pauses, [1, 2, 4, 8]);
        crashes.went_well();
        assert_eq!(crashes.crashed("", now), None);
    }

    #[test]
    fn calls_that_were_under_way_do_not_make_a_pause_longer() {
        let mut crashes = Crashes::default();
        let now = Instant::now();
        for _ in 0..5 {
            crashes.crashed("", now);
        }
        for _ in 0..50 {
            assert_eq!(crashes.crashed("", now), None);
        }
        crashes.enter(now + seconds(1)).unwrap();
    }
}
