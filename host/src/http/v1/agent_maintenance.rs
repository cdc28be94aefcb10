//! `PUT /v1/agent/maintenance` and `/v1/agent/service/maintenance/:id`.

use std::sync::Arc;

use chancery_core::LocalError;

use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::params::{parse_bool, refuse_namespace};
use crate::http::request::Request;

/// `PUT /v1/agent/maintenance?enable=true|false&reason=…`
pub(super) async fn node(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let enable = enable(&request)?;
    switch(&api, &request, "", enable).await
}

/// `PUT /v1/agent/service/maintenance/:id?enable=true|false&reason=…`
pub(super) async fn service(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    if request.rest.is_empty() {
        return Err(ApiError::plain_bad_request("Missing service ID"));
    }
    let enable = enable(&request)?;
    refuse_namespace(&request.query, &request.headers)?;
    switch(&api, &request, &request.rest, enable).await
}

fn enable(request: &Request) -> Result<bool, ApiError> {
    let Some(said) = request.query.first("enable") else {
        return Err(ApiError::plain_bad_request("Missing value for enable"));
    };
    parse_bool(said)
        .ok_or_else(|| ApiError::plain_bad_request(format!("Invalid value for enable: {said:?}")))
}

async fn switch(
    api: &Api,
    request: &Request,
    service_id: &str,
    enable: bool,
) -> Result<Answer, ApiError> {
    let local = api.agent.local();
    let switched = if enable {
        let reason = request.query.text("reason").unwrap_or_default();
        local.begin_maintenance(service_id, reason).await
    } else {
        local.end_maintenance(service_id).await
    };
    switched.map_err(|error| match error {
        LocalError::UnknownService { .. } => ApiError::not_found(error.to_string()),
        error => error.into(),
    })?;
    Ok(Answer::empty())
}
