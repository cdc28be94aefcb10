//! When leafs are replaced after a change of who signs.
//!
//! Whoever holds leafs of an older issuer asks for a slot for each. Slots lie at even distances,
//! across all who ask, so that ten thousand services do not come in the same second, and a few
//! are done in no time. Nothing is random: the rate is the bound.
//!
//! A plain reader does not wait for a slot: a leaf of the older issuer is replaced when somebody
//! asks for it. That is why slots take only half of what may be signed. A herd of such readers
//! is bounded by the operator's limit; who comes in vain is served the older leaf, which every
//! peer accepts, and its agent does not ask again for a while (see `agent::leafs`).

use std::time::Duration;

use chancery_core::{Authority, CaRoot, Instant};
use chancery_providers::CaOptions;

use super::{AuthorityHost, lock};

/// Slots a second if the operator sets no limit to signatures.
const UNLIMITED: f64 = 100.0;

/// The part of the operator's limit that slots take.
const SHARE: f64 = 0.5;

/// The part of the time that is left which slots take, if the older root goes on a clock: who
/// fails at first must have time to come again.
const OF_WHAT_IS_LEFT: f64 = 0.8;

/// The schedule. One for all who ask.
#[derive(Debug, Default)]
pub(super) struct Slots {
    next: Option<Instant>,
}

impl Slots {
    /// `count` slots as pauses from `now`, rising, after all that were given before. If that
    /// would end later than `within`, they are spread evenly over that time instead.
    fn take(
        &mut self,
        count: u32,
        rate: f64,
        within: Option<Duration>,
        now: Instant,
    ) -> Vec<Duration> {
        let start = self.next.unwrap_or(now).max(now);
        let wait = start.saturating_since(now);
        let distance = Duration::from_secs_f64(1.0 / rate);
        let end = wait.saturating_add(distance.saturating_mul(count));
        let (wait, distance, end) = match within {
            Some(within) if end > within => {
                (Duration::ZERO, within / count.max(1), wait.max(within))
            }
            _ => (wait, distance, end),
        };
        self.next = Some(now.saturating_add(end));
        (0..count)
            .map(|index| wait.saturating_add(distance.saturating_mul(index)))
            .collect()
    }
}

impl AuthorityHost {
    /// When to replace `count` leafs of `issuer`, which signs no more: a pause for each, in
    /// rising order. Before that they stay in use.
    #[must_use]
    pub fn reissue_slots(&self, issuer: &str, count: usize) -> Vec<Duration> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let now = self.inner.server.clock().now();
        let within = root_of(authority, issuer)
            .and_then(|root| root.retire_at)
            .map(|at| at.saturating_since(now.wall).mul_f64(OF_WHAT_IS_LEFT));
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        lock(&self.inner.slots).take(count, rate(authority), within, now.mono)
    }
}

/// Slots a second.
fn rate(authority: &Authority) -> f64 {
    authority
        .configuration()
        .and_then(|configuration| CaOptions::parse(&configuration.options).ok())
        .map(|options| f64::from(options.csr_max_per_second))
        .filter(|limit| *limit > 0.0)
        // A limit of less than one in a day is taken for one in a day.
        .map_or(UNLIMITED, |limit| (limit * SHARE).max(1.0 / 86_400.0))
}

/// The root under which `issuer` signed.
fn root_of<'a>(authority: &'a Authority, issuer: &str) -> Option<&'a CaRoot> {
    let by_lease = authority
        .lease(issuer)
        .and_then(|lease| authority.root(&lease.root));
    by_lease.or_else(|| authority.roots().find(|root| root.signing_key_id == issuer))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::new(Duration::from_secs(1000));

    fn millis(slots: &[Duration]) -> Vec<u128> {
        slots.iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn slots_follow_each_other_whoever_asks() {
        let mut slots = Slots::default();
        assert_eq!(millis(&slots.take(3, 10.0, None, NOW)), [0, 100, 200]);
        let later = NOW.saturating_add(Duration::from_millis(50));
        assert_eq!(millis(&slots.take(2, 10.0, None, later)), [250, 350]);
    }

    #[test]
    fn an_idle_schedule_starts_at_once_again() {
        let mut slots = Slots::default();
        slots.take(100, 10.0, None, NOW);
        let later = NOW.saturating_add(Duration::from_secs(10));
        assert_eq!(millis(&slots.take(1, 10.0, None, later)), [0]);
    }

    #[test]
    fn slots_that_would_come_too_late_are_spread_over_what_is_left() {
        let mut slots = Slots::default();
        slots.take(1000, 10.0, None, NOW);
        let within = Some(Duration::from_secs(1));
        assert_eq!(
            millis(&slots.take(4, 10.0, within, NOW)),
            [0, 250, 500, 750]
        );
        assert_eq!(millis(&slots.take(1, 10.0, None, NOW)), [100_000]);
    }

    #[test]
    fn nothing_left_means_now() {
        let mut slots = Slots::default();
        let within = Some(Duration::ZERO);
        assert_eq!(millis(&slots.take(2, 10.0, within, NOW)), [0, 0]);
        assert!(slots.take(0, 10.0, within, NOW).is_empty());
    }
}
