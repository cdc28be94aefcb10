//! Telling the host of every call, for its metrics and events.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::{ErrorKind, Operation, ProviderError};

/// Hears of every call that a [`Guard`](crate::Guard) makes.
///
/// Called on the caller's task: it must neither block nor panic. Nothing it is told is a secret
/// or grows without bound, so that all of it can become labels of metrics. `()` is one that
/// ignores everything.
pub trait Observer: Send + Sync {
    /// A call begins. Its [`finished`](Self::finished) follows in any case.
    fn started(&self, call: &Call<'_>);

    /// A call has ended, retries included.
    fn finished(&self, call: &Call<'_>, ending: &Ending);

    /// A provider has failed this operation so often in a row that it is left alone for `pause`.
    fn paused(&self, call: &Call<'_>, pause: Duration);

    /// A provider that was left alone has answered again.
    fn resumed(&self, call: &Call<'_>);
}

impl Observer for () {
    fn started(&self, _call: &Call<'_>) {}

    fn finished(&self, _call: &Call<'_>, _ending: &Ending) {}

    fn paused(&self, _call: &Call<'_>, _pause: Duration) {}

    fn resumed(&self, _call: &Call<'_>) {}
}

/// Which call it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call<'a> {
    /// Name of the provider, as in the configuration.
    pub provider: &'a str,
    /// What it is asked.
    pub operation: Operation,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ending {
    /// With success, or with which kind of error.
    pub outcome: Outcome,
    /// The rule of the policy that the answer broke, if that is why: a fixed word.
    pub rule: Option<&'static str>,
    /// From the beginning, waiting for a slot and retries included.
    pub duration: Duration,
}

/// Success or the kind of failure. `Display` gives one word or two, fit for a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Whoever asked went away before there was an answer.
    Cancelled,
    /// It failed.
    Failed(ErrorKind),
    /// It succeeded.
    Succeeded,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled => f.write_str("cancelled"),
            Self::Failed(kind) => kind.fmt(f),
            Self::Succeeded => f.write_str("ok"),
        }
    }
}

/// Tells of one call; of its end too if it is dropped.
pub(super) struct Watch<'a> {
    observer: &'a dyn Observer,
    pub(super) call: Call<'a>,
    started: Instant,
    ended: bool,
}

impl<'a> Watch<'a> {
    pub(super) fn start(
        observer: &'a dyn Observer,
        provider: &'a str,
        operation: Operation,
    ) -> Self {
        let call = Call {
            provider,
            operation,
        };
        observer.started(&call);
        Self {
            observer,
            call,
            started: Instant::now(),
            ended: false,
        }
    }

    pub(super) fn finish<T>(mut self, answer: &Result<T, ProviderError>) {
        let (outcome, rule) = match answer {
            Ok(_) => (Outcome::Succeeded, None),
            Err(error) => (Outcome::Failed(error.kind()), error.rule()),
        };
        self.end(outcome, rule);
    }

    fn end(&mut self, outcome: Outcome, rule: Option<&'static str>) {
        self.ended = true;
        let ending = Ending {
            outcome,
            rule,
            duration: self.started.elapsed(),
        };
        self.observer.finished(&self.call, &ending);
    }
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Cancelled, None);
        }
    }
}
