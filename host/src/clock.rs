//! The clocks, read in one place.

use std::time::{SystemTime, UNIX_EPOCH};

use chancery_core::{Instant, Now, Timestamp};
use tokio::time::Instant as TokioInstant;

/// Reads the wall clock, and a monotonic clock that starts when this value is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: TokioInstant,
    /// Where the wall clock stood at the start, for a clock that only moves as tokio's does.
    simulated: Option<Timestamp>,
}

impl Clock {
    /// A clock whose monotonic readings start now.
    #[must_use]
    pub fn start() -> Self {
        Self {
            start: TokioInstant::now(),
            simulated: None,
        }
    }

    /// A clock whose wall time is `wall` now and moves with tokio's clock, which tests pause and
    /// advance.
    #[must_use]
    pub fn simulated(wall: Timestamp) -> Self {
        Self {
            start: TokioInstant::now(),
            simulated: Some(wall),
        }
    }

    /// Both clocks.
    #[must_use]
    pub fn now(&self) -> Now {
        let elapsed = self.start.elapsed();
        Now {
            wall: self
                .simulated
                .map_or_else(wall, |start| start.saturating_add(elapsed)),
            mono: Instant::new(elapsed),
        }
    }

    /// The moment of tokio's clock at which the monotonic reading is `instant`.
    #[must_use]
    pub fn deadline(&self, instant: Instant) -> TokioInstant {
        self.start + instant.since_start()
    }
}

/// The wall clock. One that is set before 1970 reads as a time before it, not as an error.
fn wall() -> Timestamp {
    let nanos = match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    Timestamp::from_unix_nanos(nanos)
}
