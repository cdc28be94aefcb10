//! The guard's time: its deadlines, its retries and its pauses pass in an instant, and as the
//! world's time goes.

use std::rc::Rc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

/// A runtime whose clock stands still while anything can go on. One serves many schedules.
#[derive(Clone)]
pub(super) struct Clockwork(Rc<Runtime>);

impl Clockwork {
    pub(super) fn new() -> Self {
        let mut builder = Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build();
        Self(Rc::new(runtime.expect("a runtime without I/O")))
    }

    /// A clock that begins now.
    pub(super) fn begin(&self) -> GuardClock {
        let _within = self.0.enter();
        GuardClock {
            runtime: Rc::clone(&self.0),
            beginning: Instant::now(),
        }
    }
}

/// The clock of one schedule.
pub(super) struct GuardClock {
    runtime: Rc<Runtime>,
    beginning: Instant,
}

impl GuardClock {
    /// Makes a call at second `now`, or later if calls before it took so long. Says how many
    /// seconds it took, begun ones included.
    pub(super) fn run<T>(&self, now: i64, call: impl Future<Output = T>) -> (T, i64) {
        self.runtime.block_on(async {
            let at = self.beginning + Duration::from_secs(now.unsigned_abs());
            let behind = at.saturating_duration_since(Instant::now());
            if !behind.is_zero() {
                tokio::time::advance(behind).await;
            }
            let begin = Instant::now();
            let answer = call.await;
            let took = begin.elapsed().as_millis().div_ceil(1000);
            (answer, i64::try_from(took).unwrap_or(i64::MAX))
        })
    }
}
