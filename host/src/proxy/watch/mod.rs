//! Following one thing of the agent by blocking queries.
//!
//! The last good answer is kept through every outage; its age is what the readers judge. A
//! failing agent is asked again after a pause that grows to a few seconds, so that every proxy
//! is current within five seconds of the agent's return; only the change from good to failing
//! and back is logged, not every attempt.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chancery_core::DefaultPolicy;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::client::ClientError;
use crate::proxy::agent_api::{Answer, Cursor};
use crate::random;

/// The first pause after an error.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause. With its jitter it stays below five seconds.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The least time between two answers of an agent that does not block although asked to.
const FLOOR: Duration = Duration::from_millis(20);

/// The last good answer.
#[derive(Debug)]
pub(crate) struct Snapshot<T> {
    pub(crate) value: Arc<T>,
    /// When the agent last confirmed it.
    pub(crate) confirmed: Instant,
    pub(crate) default: Option<DefaultPolicy>,
    /// How old it may get, if the agent says so.
    pub(crate) bundle_max_age: Option<Duration>,
    /// Whether the agent can be waited on for this (its answer had a position).
    pub(crate) waitable: bool,
}

impl<T> Clone for Snapshot<T> {
    fn clone(&self) -> Self {
        Self {
            value: Arc::clone(&self.value),
            ..*self
        }
    }
}

/// What readers of a watch hold.
pub(crate) type Watched<T> = watch::Receiver<Option<Snapshot<T>>>;

/// Follows `fetch` for as long as somebody reads, and never returns before.
///
/// Each new answer is sent; a repeated one (the wait ended without a change) only renews
/// [`Snapshot::confirmed`], silently.
pub(crate) async fn follow<T, F>(
    what: &str,
    sender: watch::Sender<Option<Snapshot<T>>>,
    mut fetch: impl FnMut(Cursor) -> F,
) where
    T: Send + Sync + 'static,
    F: Future<Output = Result<Answer<T>, ClientError>>,
{
    let mut cursor = Cursor::Start;
    let mut pause = FIRST_PAUSE;
    let mut failing_since: Option<Instant> = None;
    loop {
        let asked = Instant::now();
        let answer = tokio::select! {
            answer = fetch(cursor.clone()) => answer,
            () = sender.closed() => return,
        };
        match answer {
            Ok(answer) => {
                if let Some(since) = failing_since.take() {
                    let outage = since.elapsed().as_secs_f32();
                    tracing::info!("{what}: the agent answers again after {outage:.1} s");
                }
                pause = FIRST_PAUSE;
                let next = onward(&cursor, answer.cursor.clone());
                let news = next.as_ref().is_none_or(|next| *next != cursor);
                publish(&sender, answer, news);
                cursor = next.unwrap_or_default();
                let waitable = cursor != Cursor::Start;
                let rest = if waitable { FLOOR } else { LONGEST_PAUSE };
                tokio::time::sleep_until(asked + rest).await;
            }
            Err(error) => {
                if failing_since.is_none() {
                    failing_since = Some(asked);
                    tracing::error!(
                        "{what}: the agent does not answer, going on with what is known: {error}"
                    );
                }
                // A different agent may come back: ask it from the start.
                cursor = Cursor::Start;
                tokio::time::sleep(random::around(pause)).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// The position to go on from; none to start again, because an index went backwards.
fn onward(asked: &Cursor, answered: Cursor) -> Option<Cursor> {
    match (asked, &answered) {
        (Cursor::Index(before), Cursor::Index(after)) if after < before => None,
        _ => Some(answered),
    }
}

fn publish<T>(sender: &watch::Sender<Option<Snapshot<T>>>, answer: Answer<T>, news: bool) {
    let waitable = answer.cursor != Cursor::Start;
    sender.send_if_modified(|slot| match slot {
        Some(snapshot) if !news && snapshot.waitable => {
            snapshot.confirmed = Instant::now();
            false
        }
        _ => {
            *slot = Some(Snapshot {
                value: Arc::new(answer.value),
                confirmed: Instant::now(),
                default: answer.default,
                bundle_max_age: answer.bundle_max_age,
                waitable,
            });
            true
        }
    });
}

#[cfg(test)]
mod tests;
