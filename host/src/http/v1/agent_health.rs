//! `/v1/agent/health/service/…`: how this agent's own services are, for those who ask no catalog.

use std::sync::Arc;

use chancery_core::{CheckStatus, LocalHealth};
use http::header::{ACCEPT, HeaderName};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::params::refuse_namespace;
use crate::http::render::check::{CheckBody, FullDefinition};
use crate::http::render::service::AgentServiceBody;
use crate::http::request::Request;

const REASON: HeaderName = HeaderName::from_static("x-consul-reason");

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct HealthBody<'a> {
    aggregated_status: &'static str,
    service: Option<AgentServiceBody<'a>>,
    checks: Option<Vec<CheckBody<'a, FullDefinition>>>,
}

/// What all checks come to: the states of checks, and maintenance, which is the worst.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whole {
    State(CheckStatus),
    Maintenance,
}

impl Whole {
    fn of(health: &LocalHealth<'_>) -> Self {
        if health.is_in_maintenance() {
            Self::Maintenance
        } else {
            Self::State(health.status)
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::State(status) => status.as_str(),
            Self::Maintenance => "maintenance",
        }
    }

    const fn status(self) -> StatusCode {
        match self {
            Self::State(CheckStatus::Passing) => StatusCode::OK,
            Self::State(CheckStatus::Warning) => StatusCode::TOO_MANY_REQUESTS,
            Self::State(CheckStatus::Critical) | Self::Maintenance => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

/// `GET /v1/agent/health/service/id/:id`
pub(super) async fn by_id(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let id = &request.rest;
    if id.is_empty() {
        // Consul means 400, and its handler loses that.
        return Err(ApiError::internal("Bad request: Missing serviceID"));
    }
    refuse_namespace(&request.query, &request.headers)?;
    api.agent.local().read(|local| {
        let Some(health) = local.health_by_id(id) else {
            let reason = format!("ServiceId {id} not found");
            let answer = if wants_text(&request) {
                Answer::json(&reason, request.style)?
            } else {
                let nothing = HealthBody {
                    aggregated_status: CheckStatus::Critical.as_str(),
                    service: None,
                    checks: None,
                };
                Answer::json(&nothing, request.style)?
            };
            return Ok(explained(answer, StatusCode::NOT_FOUND, &reason));
        };
        let whole = Whole::of(&health);
        answer(&request, whole, &body(&health))
    })
}

/// `GET /v1/agent/health/service/name/:name`
pub(super) async fn by_name(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let name = &request.rest;
    if name.is_empty() {
        return Err(ApiError::internal("Bad request: Missing service Name"));
    }
    refuse_namespace(&request.query, &request.headers)?;
    api.agent.local().read(|local| {
        let all = local.health_by_name(name);
        let bodies: Vec<_> = all.iter().map(body).collect();
        let Some(whole) = all.iter().map(Whole::of).max() else {
            let reason = format!("ServiceName {name} Not Found");
            let answer = if wants_text(&request) {
                Answer::of_type("text/plain", reason.clone())
            } else {
                Answer::json(&bodies, request.style)?
            };
            return Ok(explained(answer, StatusCode::NOT_FOUND, &reason));
        };
        answer(&request, whole, &bodies)
    })
}

fn body<'a>(health: &LocalHealth<'a>) -> HealthBody<'a> {
    let checks = health.checks.iter().copied();
    HealthBody {
        aggregated_status: Whole::of(health).as_str(),
        service: Some(AgentServiceBody::of(&health.service.instance, None)),
        checks: Some(checks.map(CheckBody::by_service).collect()),
    }
}

fn answer(
    request: &Request,
    whole: Whole,
    body: &(impl Serialize + ?Sized),
) -> Result<Answer, ApiError> {
    let answer = if wants_text(request) {
        Answer::of_type("text/plain", whole.as_str())
    } else {
        Answer::json(body, request.style)?
    };
    Ok(explained(answer, whole.status(), whole.as_str()))
}

fn explained(answer: Answer, status: StatusCode, reason: &str) -> Answer {
    let answer = answer.with_status(status);
    match HeaderValue::from_str(reason) {
        Ok(reason) => answer.with(REASON, reason),
        // A name that no header can carry is in the request.
        Err(_) => answer,
    }
}

/// A load balancer asks for one word only.
fn wants_text(request: &Request) -> bool {
    let accepted = request.headers.get(ACCEPT).map(HeaderValue::as_bytes);
    accepted.is_some_and(|accepted| accepted.starts_with(b"text/plain"))
        || request.query.first("format") == Some("text")
}
