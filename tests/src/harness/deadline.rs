//! Waiting for something to become true, without guessing how long it takes.

use std::time::{Duration, Instant};

const STEP: Duration = Duration::from_millis(5);

/// Asks `probe` again and again until it gives a value or `deadline` has passed.
///
/// The last refusal is returned, so that a failing test can say what it saw.
///
/// # Errors
/// The error of the last probe when the deadline passed.
pub async fn eventually<T, E>(
    deadline: Duration,
    mut probe: impl AsyncFnMut() -> Result<T, E>,
) -> Result<T, E> {
    let end = Instant::now() + deadline;
    loop {
        match probe().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= end => return Err(error),
            Err(_) => tokio::time::sleep(STEP).await,
        }
    }
}
