//! Writing intentions.

use std::sync::Arc;

use chancery_core::{Caller, Command, IntentionCommand, IntentionDraft, IntentionId};
use serde::Serialize;

use super::body;
use super::matching::required;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::decode::DecodeError;
use crate::http::error::ApiError;
use crate::http::request::Request;
use crate::random;

/// What a write by identifier answers.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
}

/// `POST /v1/connect/intentions`. Of the query only the datacenter counts.
pub(in crate::http::v1) async fn create(
    api: Arc<Api>,
    mut request: Request,
) -> Result<Answer, ApiError> {
    let body = request.read_body(&api).await?;
    // Consul answers 500 here, and 400 when updating.
    let draft = body::draft(&body)
        .map_err(|error| ApiError::internal(format!("Failed to decode request body: {error}")))?
        .unwrap_or_default();
    api.require_own_datacenter(&request.query)?;
    let bytes = random::bytes().map_err(|error| ApiError::internal(error.to_string()))?;
    let id = IntentionId::from_bytes(bytes);
    submit(&api, IntentionCommand::Create { id, draft }).await?;
    let id = id.to_string();
    Answer::json(&Written { id: &id }, request.style)
}

/// `PUT /v1/connect/intentions/:id`
pub(in crate::http::v1) async fn update(
    api: Arc<Api>,
    mut request: Request,
) -> Result<Answer, ApiError> {
    let draft = read_draft(&api, &mut request).await?;
    api.require_own_datacenter(&request.query)?;
    let id = std::mem::take(&mut request.rest);
    let command = IntentionCommand::Update {
        id: id.clone(),
        draft,
    };
    submit(&api, command).await?;
    Answer::json(&Written { id: &id }, request.style)
}

/// `DELETE /v1/connect/intentions/:id`
pub(in crate::http::v1) async fn delete(
    api: Arc<Api>,
    mut request: Request,
) -> Result<Answer, ApiError> {
    api.require_own_datacenter(&request.query)?;
    let id = std::mem::take(&mut request.rest);
    submit(&api, IntentionCommand::Delete { id }).await?;
    Answer::json(&true, request.style)
}

/// `PUT /v1/connect/intentions/exact` (Consul 1.9)
pub(in crate::http::v1) async fn upsert_exact(
    api: Arc<Api>,
    mut request: Request,
) -> Result<Answer, ApiError> {
    let (source, destination) = names(&request)?;
    let draft = read_draft(&api, &mut request).await?;
    api.require_own_datacenter(&request.query)?;
    let command = IntentionCommand::UpsertExact {
        source,
        destination,
        draft,
    };
    submit(&api, command).await?;
    Answer::json(&true, request.style)
}

/// `DELETE /v1/connect/intentions/exact` (Consul 1.9). `true` even if there was none.
pub(in crate::http::v1) async fn delete_exact(
    api: Arc<Api>,
    request: Request,
) -> Result<Answer, ApiError> {
    let (source, destination) = names(&request)?;
    api.require_own_datacenter(&request.query)?;
    let command = IntentionCommand::DeleteExact {
        source,
        destination,
    };
    submit(&api, command).await?;
    Answer::json(&true, request.style)
}

fn names(request: &Request) -> Result<(String, String), ApiError> {
    let source = required(request, "source")?.to_owned();
    let destination = required(request, "destination")?.to_owned();
    Ok((source, destination))
}

async fn read_draft(api: &Api, request: &mut Request) -> Result<IntentionDraft, ApiError> {
    let body = request.read_body(api).await?;
    body::draft(&body)
        .and_then(|draft| draft.ok_or(DecodeError::Null))
        .map_err(|error| ApiError::undecodable(&error))
}

async fn submit(api: &Api, command: IntentionCommand) -> Result<(), ApiError> {
    let command = Command::Intention(command);
    api.server().submit(command, Caller::unrestricted()).await?;
    Ok(())
}
