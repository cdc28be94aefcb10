//! `/v1/status/…`: who leads.

use std::sync::Arc;

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::request::Request;

/// `GET /v1/status/leader`
pub(super) async fn leader(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_own_datacenter(&request.query)?;
    Answer::json(&api.server_address(), request.style)
}

/// `GET /v1/status/peers`
pub(super) async fn peers(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_own_datacenter(&request.query)?;
    Answer::json(&[api.server_address()], request.style)
}
