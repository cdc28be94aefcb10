//! `/v1/agent/check…`: the checks that the agent looks after.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::{CheckStatus, LocalError};

use crate::definition::check_from_json;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::decode::{Object, check_depth};
use crate::http::error::ApiError;
use crate::http::filter::Wanted;
use crate::http::params::refuse_namespace;
use crate::http::render::check::CheckBody;
use crate::http::render::shape;
use crate::http::request::Request;

/// `GET /v1/agent/checks`
pub(super) async fn list(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let mut wanted = Wanted::bare(&request.query, &shape::CHECK)?;
    api.agent.local().read(|local| {
        let mut checks = BTreeMap::new();
        for check in local.checks() {
            let body = CheckBody::of_agent(check);
            if wanted.is(&body)? {
                checks.insert(check.check_id.as_str(), body);
            }
        }
        Answer::json(&checks, request.style)
    })
}

/// `PUT /v1/agent/check/pass/:id`
pub(super) async fn pass(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    note(&api, &request, CheckStatus::Passing).await
}

/// `PUT /v1/agent/check/warn/:id`
pub(super) async fn warn(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    note(&api, &request, CheckStatus::Warning).await
}

/// `PUT /v1/agent/check/fail/:id`
pub(super) async fn fail(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    note(&api, &request, CheckStatus::Critical).await
}

async fn note(api: &Api, request: &Request, status: CheckStatus) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let note = request.query.text("note").unwrap_or_default();
    word(api, &request.rest, status, note).await
}

/// `PUT /v1/agent/check/update/:id`
pub(super) async fn update(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let body = request.read_body(&api).await?;
    let (status, output) =
        status_and_output(&body).map_err(|error| ApiError::undecodable_for_agent(&error))?;
    let status = LocalError::parse_status(&status)?;
    word(&api, &request.rest, status, &output).await
}

fn status_and_output(body: &[u8]) -> Result<(String, String), crate::http::decode::DecodeError> {
    const STRUCT: &str = "checkUpdate";
    let mut fields =
        Object::read(body, "agent.checkUpdate", STRUCT)?.unwrap_or(Object::empty(STRUCT));
    let status = fields.text("Status", "string")?;
    let output = fields.text("Output", "string")?;
    fields.finish()?;
    Ok((status, output))
}

async fn word(
    api: &Api,
    check_id: &str,
    status: CheckStatus,
    output: &str,
) -> Result<Answer, ApiError> {
    let local = api.agent.local();
    local.update_ttl(check_id, status, output).await?;
    Ok(Answer::empty())
}

/// `PUT /v1/agent/check/register`
pub(super) async fn register(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    let body = request.read_body(&api).await?;
    check_depth(&body).map_err(|error| ApiError::undecodable_for_agent(&error))?;
    let check = check_from_json(&body).map_err(|error| ApiError::undecodable_for_agent(&error))?;
    refuse_namespace(&request.query, &request.headers)?;
    let local = api.agent.local();
    let settings = local.read(|local| local.settings().clone());
    let node = api.agent.settings().node_name.as_str();
    let check = check.registration.check(node, &settings)?;
    local.register_check(check).await?;
    Ok(Answer::empty())
}

/// `PUT /v1/agent/check/deregister/:id`
pub(super) async fn deregister(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    api.agent.local().deregister_check(&request.rest).await?;
    Ok(Answer::empty())
}
