//! One call on a provider: its deadline and its retries.

use std::future::Future;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::{ErrorKind, FailedCall, Operation, ProviderError};

/// Counts and times the attempts of one call.
///
/// Every operation of the trait may be repeated, so only the error's kind and the deadline
/// decide whether it is.
pub(super) struct Attempts {
    provider: String,
    operation: Operation,
    started: Instant,
    deadline: Duration,
    made: u32,
    waits: ExponentialBackoff,
}

impl Attempts {
    pub(super) fn new(provider: &str, operation: Operation, deadline: Duration) -> Self {
        Self {
            provider: provider.to_owned(),
            operation,
            started: Instant::now(),
            deadline,
            made: 0,
            waits: ExponentialBuilder::new()
                .with_min_delay(FIRST_WAIT)
                .with_max_delay(LONGEST_WAIT)
                .with_max_times(RETRIES)
                .with_jitter()
                .build(),
        }
    }

    /// Makes attempts until one succeeds or it is time to give up.
    pub(super) async fn until_done<T, A>(
        mut self,
        attempt: impl Fn() -> A,
    ) -> Result<T, ProviderError>
    where
        A: Future<Output = Result<T, ProviderError>>,
    {
        loop {
            match self.once(attempt()).await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.again(error).await?,
            }
        }
    }

    /// Makes one attempt within what is left of the deadline.
    pub(super) async fn once<T>(
        &mut self,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        self.made += 1;
        let ends = self.started + self.deadline;
        match tokio::time::timeout_at(ends, call).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(ProviderError::new(
                ErrorKind::Unavailable { retry_after: None },
                format!("no answer within {} ms", self.deadline.as_millis()),
            )),
        }
    }

    /// Waits for the next attempt, or gives up with the whole story.
    ///
    /// Waits as long as the backend asked, if that is longer than our own back-off; gives up
    /// at once if the deadline would come first.
    pub(super) async fn again(&mut self, error: ProviderError) -> Result<(), ProviderError> {
        let wait = if error.kind().is_retryable() {
            self.waits.next()
        } else {
            None
        };
        let wait = wait.map(|wait| wait.max(error.kind().retry_after().unwrap_or_default()));
        match wait {
            Some(wait) if self.started.elapsed() + wait < self.deadline => {
                tracing::debug!(
                    provider = self.provider,
                    operation = %self.operation,
                    attempt = self.made,
                    wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    %error,
                    "asking the CA provider again"
                );
                tokio::time::sleep(wait).await;
                Ok(())
            }
            _ => Err(self.give_up(error)),
        }
    }

    /// Adds to `error` which call it ended.
    pub(super) fn give_up(&self, error: ProviderError) -> ProviderError {
        error.during(FailedCall {
            provider: self.provider.clone(),
            operation: self.operation,
            elapsed: self.started.elapsed(),
            attempts: self.made,
        })
    }
}

const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// After the first attempt.
const RETRIES: usize = 4;
