//! How the agent is: for whoever looks after it.

use std::sync::Arc;

use crate::doctor::Report;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::request::Request;

/// `GET /v1/chancery/doctor`: the facts of `chancery doctor`.
pub(super) async fn doctor(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let report = Report::of(&api.agent).await;
    Answer::json(&report, request.style)
}

/// `GET /v1/agent/metrics`, for Prometheus with `?format=prometheus`.
pub(super) async fn metrics(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let report = Report::of(&api.agent).await;
    let metrics = api.agent.authority().metrics();
    metrics.look(
        api.server().view().state().authority(),
        &api.agent.leafs().facts(),
        report.first_failed_handshake,
        report.now,
    );
    if request.query.text("format") == Some("prometheus") {
        let text = metrics
            .prometheus()
            .map_err(|error| ApiError::internal(error.to_string()))?;
        return Ok(Answer::of_type(
            "text/plain; version=0.0.4; charset=utf-8",
            text,
        ));
    }
    let now = api.server().clock().now();
    let body = metrics.consul(now.wall, now.mono.since_start());
    Answer::json(&body, request.style)
}
