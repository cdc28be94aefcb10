//! How many leafs may be signed: so many a second, or so many at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

use crate::{CaOptions, ErrorKind, ProviderError};

/// `CSRMaxPerSecond` and `CSRMaxConcurrent`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "Consul has these two limits and no other"
)]
pub struct Limits {
    /// Leafs a second, without bursts; 0 for no limit.
    pub per_second: f32,
    /// Leafs at once; 0 for no limit. Counts only if there is no limit per second.
    pub concurrent: usize,
}

impl Limits {
    /// No limit at all.
    pub const NONE: Self = Self {
        per_second: 0.0,
        concurrent: 0,
    };
}

impl From<&CaOptions> for Limits {
    fn from(options: &CaOptions) -> Self {
        Self {
            per_second: options.csr_max_per_second,
            concurrent: options.csr_max_concurrent,
        }
    }
}

/// Lets signings through by the limits.
pub(super) enum Gate {
    Concurrent(Arc<Semaphore>),
    Open,
    PerSecond(Pace),
}

/// Slots at even distances. Who comes takes the next free one and waits for it, so that
/// waiters are served in the order they came and none is woken in vain.
pub(super) struct Pace {
    distance: Duration,
    next: Mutex<Option<Instant>>,
}

impl Gate {
    pub(super) fn new(limits: Limits) -> Self {
        if limits.per_second > 0.0 {
            // Beyond a year between two leafs the difference does not matter.
            let seconds = (1.0 / f64::from(limits.per_second)).min(31_536_000.0);
            return Self::PerSecond(Pace {
                distance: Duration::from_secs_f64(seconds),
                next: Mutex::new(None),
            });
        }
        if limits.concurrent > 0 {
            let permits = limits.concurrent.min(Semaphore::MAX_PERMITS);
            return Self::Concurrent(Arc::new(Semaphore::new(permits)));
        }
        Self::Open
    }

    /// Waits for a slot, for at most [`PATIENCE`]; the slot is taken until dropped.
    pub(super) async fn enter(&self) -> Result<Option<OwnedSemaphorePermit>, ProviderError> {
        match self {
            Self::Concurrent(permits) => {
                match tokio::time::timeout(PATIENCE, Arc::clone(permits).acquire_owned()).await {
                    Ok(Ok(permit)) => Ok(Some(permit)),
                    Ok(Err(_)) | Err(_) => Err(refused()),
                }
            }
            Self::Open => Ok(None),
            Self::PerSecond(pace) => {
                if let Some(slot) = pace.reserve(Instant::now())? {
                    tokio::time::sleep_until(slot).await;
                }
                Ok(None)
            }
        }
    }
}

impl Pace {
    /// The moment to wait for, if it is not now. Nothing is taken if that is too far away.
    fn reserve(&self, now: Instant) -> Result<Option<Instant>, ProviderError> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = next.unwrap_or(now).max(now);
        if slot - now > PATIENCE {
            return Err(refused());
        }
        *next = Some(slot + self.distance);
        Ok((slot > now).then_some(slot))
    }
}

/// Consul's text.
fn refused() -> ProviderError {
    ProviderError::new(
        ErrorKind::RateLimited {
            retry_after: Some(PATIENCE),
        },
        "Rate limit reached, try again later",
    )
}

/// How long a signing waits for a slot: Consul's figure.
const PATIENCE: Duration = Duration::from_millis(500);
