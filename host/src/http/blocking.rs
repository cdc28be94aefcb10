//! Blocking queries: answers that wait for something new.
//!
//! Consul has two rules. Queries that go to a server wait five minutes if they do not say how
//! long, ten at most, and a random sixteenth longer, so that clients who asked together do not
//! come back together. Queries that the agent answers from its cache wait exactly as long as they
//! say, and without end if they do not.

use std::sync::Arc;
use std::time::Duration;

use chancery_core::{Revision, Topic};
use http::StatusCode;
use tokio::time::Instant;

use super::api::Api;
use super::error::ApiError;
use super::params::Options;
use super::parked::Wait;
use super::request::Request;
use super::slots::{Full, Slot};
use crate::random;
use crate::server::View;

/// How much longer than asked a query may wait: one part in so many.
const JITTER: f64 = 1.0 / 16.0;

/// How long the agent's rule waits in one go; then it looks and waits again.
const ROUND: Duration = Duration::from_secs(600);

/// What a query waited for.
pub(crate) struct Waited {
    pub(crate) view: Arc<View>,
    /// The index of what was asked for, as of the view.
    pub(crate) index: Revision,
    /// Whether nothing new came.
    pub(crate) timed_out: bool,
}

/// The state once one of `topics` has an index above the one asked for, by the servers' rule.
///
/// # Errors
/// 429 if too many queries wait already.
pub(crate) async fn on_server(
    api: &Api,
    request: &Request,
    options: &Options,
    topics: &[Topic],
) -> Result<Waited, ApiError> {
    let deadline = Instant::now() + server_wait(api, options);
    until(api, request, options, topics, Some(deadline)).await
}

/// As [`on_server`], by the rule of the agent's cache.
///
/// # Errors
/// 429 if too many queries wait already.
pub(crate) async fn on_agent(
    api: &Api,
    request: &Request,
    options: &Options,
    topics: &[Topic],
) -> Result<Waited, ApiError> {
    until(api, request, options, topics, agent_deadline(options)).await
}

/// When the agent's rule ends a wait, if it does.
pub(crate) fn agent_deadline(options: &Options) -> Option<Instant> {
    options
        .wait
        .and_then(|wait| Instant::now().checked_add(wait))
}

/// How long the servers' rule waits.
pub(crate) fn server_wait(api: &Api, options: &Options) -> Duration {
    let limits = &api.settings.limits;
    let wait = options
        .wait
        .unwrap_or(limits.default_wait)
        .min(limits.longest_wait);
    wait + wait.mul_f64(JITTER * random::fraction())
}

/// A place among the queries that wait.
///
/// # Errors
/// 429 if there is none.
pub(crate) fn take_slot(api: &Api, request: &Request) -> Result<Slot, ApiError> {
    api.blocked.take(request.client).map_err(|full| {
        let limits = &api.settings.limits;
        let (whose, allowed) = match full {
            Full::Client => ("of one client", limits.blocked_per_client),
            Full::Total => ("of all clients", limits.blocked),
        };
        ApiError::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!("{allowed} blocking queries {whose} are waiting already, which is the limit"),
        )
    })
}

async fn until(
    api: &Api,
    request: &Request,
    options: &Options,
    topics: &[Topic],
    deadline: Option<Instant>,
) -> Result<Waited, ApiError> {
    let back = request.parking.take_back();
    let view = api.server().view();
    let index = view.index(topics);
    let seen = Revision::new(options.index);
    let timed_out = options.index != 0 && index <= seen;
    let (deadline, slot) = match back {
        None => (deadline, None),
        Some(back) => (back.deadline, Some(back.slot)),
    };
    let has_waited = slot.is_some() && deadline.is_some_and(|end| end <= Instant::now());
    if !timed_out || has_waited || api.shutdown.is_cancelled() {
        return Ok(Waited {
            view,
            index,
            timed_out,
        });
    }
    drop(view);
    let slot = match slot {
        Some(slot) => slot,
        None => take_slot(api, request)?,
    };
    if let Some(head) = request.head(&api.settings.limits) {
        let topics = topics.into();
        let wait = Wait {
            head,
            topics,
            seen,
            deadline,
            slot,
        };
        request.parking.wait(wait).await;
    }
    let view = tokio::select! {
        view = newer(api, topics, seen, deadline) => view,
        () = api.shutdown.cancelled() => api.server().view(),
    };
    let index = view.index(topics);
    Ok(Waited {
        view,
        index,
        timed_out: index <= seen,
    })
}

/// The state once one of `topics` has an index above `seen`, or as it is at the end.
pub(crate) async fn newer(
    api: &Api,
    topics: &[Topic],
    seen: Revision,
    deadline: Option<Instant>,
) -> Arc<View> {
    loop {
        let end = deadline.unwrap_or_else(|| Instant::now() + ROUND);
        let view = api.server().wait(topics, seen, end).await;
        if deadline.is_some() || view.index(topics) > seen {
            return view;
        }
    }
}
