//! Leaving a backend alone that fails again and again.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use chancery_core::Timestamp;
use tokio::time::Instant;

use crate::{ErrorKind, Operation, ProviderError};

/// One circuit for each operation: a backend often forbids or breaks one path and serves the
/// others.
///
/// After [`FAILURES`] calls in a row that ended in `Unavailable` or `Broken`, retries included,
/// calls are refused for a pause, then one is let through to try. Its success, or any answer that
/// shows the backend alive (`Refused`, `Unauthorised`, …), ends it; its failure makes the pause
/// longer.
#[derive(Default)]
pub(super) struct Breakers(Mutex<HashMap<Operation, Circuit>>);

#[derive(Default)]
struct Circuit {
    failures: u32,
    since: Option<Timestamp>,
    open: Option<Open>,
}

struct Open {
    until: Instant,
    until_wall: Timestamp,
    probing: bool,
    pauses: ExponentialBackoff,
    last: String,
}

/// Leave to make one call. Dropped without [`settle`](Self::settle), the call never happened.
pub(super) struct Leave<'a> {
    breakers: &'a Breakers,
    operation: Operation,
    probe: bool,
}

/// What a call's end did to its circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Closed,
    Opened(Duration),
    Same,
}

impl Breakers {
    /// Lets a call through, or says since when the backend fails and when the next try is.
    pub(super) fn enter(
        &self,
        provider: &str,
        operation: Operation,
    ) -> Result<Leave<'_>, ProviderError> {
        let mut circuits = self.circuits();
        let circuit = circuits.entry(operation).or_default();
        let mut probe = false;
        if let Some(open) = &mut circuit.open {
            let left = open.until.saturating_duration_since(Instant::now());
            if open.probing || !left.is_zero() {
                return Err(circuit.refuse(provider, operation, left));
            }
            open.probing = true;
            probe = true;
        }
        Ok(Leave {
            breakers: self,
            operation,
            probe,
        })
    }

    fn circuits(&self) -> MutexGuard<'_, HashMap<Operation, Circuit>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Circuit {
    fn refuse(&self, provider: &str, operation: Operation, left: Duration) -> ProviderError {
        let next = match &self.open {
            Some(open) if open.probing => "the next try is under way".to_owned(),
            Some(open) => format!("the next try is at {}", open.until_wall.whole_seconds()),
            None => String::new(),
        };
        let since = self.since.unwrap_or(Timestamp::ZERO).whole_seconds();
        let last = self.open.as_ref().map_or("", |open| &open.last);
        ProviderError::new(
            ErrorKind::Unavailable {
                retry_after: Some(left.max(SHORTEST_PAUSE)),
            },
            format!(
                "CA provider {provider:?} has failed to {operation} {} times in a row since \
                 {since}, {next}; the last error was: {last}",
                self.failures
            ),
        )
    }

    fn fail(&mut self, error: &ProviderError, probe: bool, now: Timestamp) -> Turn {
        self.since.get_or_insert(now);
        self.failures = self.failures.saturating_add(1);
        let mut pauses = match self.open.take() {
            // It was under way when the circuit opened: that is known already.
            Some(open) if !probe => {
                self.open = Some(open);
                return Turn::Same;
            }
            Some(open) => open.pauses,
            None if self.failures < FAILURES => return Turn::Same,
            None => pauses(),
        };
        let pause = pauses.next().unwrap_or(LONGEST_PAUSE);
        self.open = Some(Open {
            until: Instant::now() + pause,
            until_wall: now.saturating_add(pause),
            probing: false,
            pauses,
            last: error.to_string(),
        });
        Turn::Opened(pause)
    }
}

impl Leave<'_> {
    /// Takes note of how the call ended.
    pub(super) fn settle<T>(self, answer: &Result<T, ProviderError>, now: Timestamp) -> Turn {
        let mut circuits = self.breakers.circuits();
        let circuit = circuits.entry(self.operation).or_default();
        match answer.as_ref().map_err(|error| (error, error.kind())) {
            Err((error, ErrorKind::Broken | ErrorKind::Unavailable { .. })) => {
                circuit.fail(error, self.probe, now)
            }
            // Says nothing of the backend: it may be the operator's limit.
            Err((_, ErrorKind::RateLimited { .. })) => Turn::Same,
            Ok(_) | Err(_) => {
                let was_open = circuit.open.is_some();
                *circuit = Circuit::default();
                if was_open { Turn::Closed } else { Turn::Same }
            }
        }
    }
}

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        if !self.probe {
            return;
        }
        // Whoever waited has gone away: the next call tries in its place.
        if let Some(circuit) = self.breakers.circuits().get_mut(&self.operation)
            && let Some(open) = &mut circuit.open
        {
            open.probing = false;
        }
    }
}

fn pauses() -> ExponentialBackoff {
    ExponentialBuilder::new()
        .with_min_delay(SHORTEST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .without_max_times()
        .with_jitter()
        .build()
}

/// So many calls in a row, each with its retries.
const FAILURES: u32 = 5;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
