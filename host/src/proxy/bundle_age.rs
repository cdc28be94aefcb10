//! How old the roots are: having them confirmed in time, and saying so when nobody does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::proxy::context::Context;

/// How often the roots are confirmed within the time for which they may be used.
const CONFIRMATIONS: u32 = 4;

/// The shortest wait for a confirmation, whatever their age may be.
const SHORTEST: Duration = Duration::from_millis(250);

/// The longest time between two looks at the age.
const LOOK: Duration = Duration::from_secs(60);

/// How long a query for the roots may block, so that they are confirmed often enough.
#[derive(Debug)]
pub(super) struct Confirming {
    millis: AtomicU64,
}

impl Default for Confirming {
    fn default() -> Self {
        Self {
            millis: AtomicU64::new(u64::MAX),
        }
    }
}

impl Confirming {
    /// The wait of the next query.
    pub(super) fn wait(&self) -> Duration {
        Duration::from_millis(self.millis.load(Ordering::Relaxed))
    }

    /// The agent has said how old the roots may get.
    pub(super) fn follow(&self, allowed: Option<Duration>) {
        let wait = allowed.map_or(Duration::MAX, |allowed| {
            (allowed / CONFIRMATIONS).max(SHORTEST)
        });
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        self.millis.store(millis, Ordering::Relaxed);
    }
}

/// How far the roots are from being too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
enum Freshness {
    #[default]
    Good,
    /// Half of the time is over.
    Ageing,
    /// They are not used for new connections.
    TooOld,
}

impl Freshness {
    fn of(age: Duration, allowed: Duration) -> Self {
        if age > allowed {
            Self::TooOld
        } else if age > allowed / 2 {
            Self::Ageing
        } else {
            Self::Good
        }
    }
}

/// Says when the roots come of age, when they are too old, and when they are good again. Runs
/// until dropped.
pub(super) async fn warn_of_age(context: Arc<Context>) {
    let mut said = Freshness::default();
    loop {
        let mut pause = LOOK;
        if let Some((age, allowed)) = context.roots_age() {
            let found = Freshness::of(age, allowed);
            if found != said {
                say(found, age, allowed);
                said = found;
            }
            pause = (allowed / 20).clamp(SHORTEST, LOOK);
        }
        tokio::time::sleep(pause).await;
    }
}

fn say(found: Freshness, age: Duration, allowed: Duration) {
    let (age, allowed) = (age.as_secs(), allowed.as_secs());
    match found {
        Freshness::Good => tracing::info!("the agent confirms the roots again"),
        Freshness::Ageing => tracing::warn!(
            "the roots were last confirmed by the agent {age} s ago: after {allowed} s new \
             connections are refused (BundleMaxAge)"
        ),
        Freshness::TooOld => tracing::error!(
            "the roots were last confirmed by the agent {age} s ago, allowed are {allowed} s \
             (BundleMaxAge): new connections are refused until it answers again"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_age_warns_and_all_of_it_refuses() {
        let allowed = Duration::from_secs(100);
        let at = |seconds| Freshness::of(Duration::from_secs(seconds), allowed);
        assert_eq!(at(50), Freshness::Good);
        assert_eq!(at(51), Freshness::Ageing);
        assert_eq!(at(100), Freshness::Ageing);
        assert_eq!(at(101), Freshness::TooOld);
    }

    #[test]
    fn roots_that_may_not_get_old_are_confirmed_more_often() {
        let between = Confirming::default();
        assert!(between.wait() > Duration::from_secs(3600));
        between.follow(Some(Duration::from_secs(20)));
        assert_eq!(between.wait(), Duration::from_secs(5));
        between.follow(Some(Duration::from_millis(1)));
        assert_eq!(between.wait(), SHORTEST);
        between.follow(None);
        assert!(between.wait() > Duration::from_secs(3600));
    }
}
