//! `/v1/agent/connect/…`: what a proxy asks its agent, answered from memory.

use std::sync::Arc;

use chancery_core::ServiceName;
use serde::Serialize;

use super::connect_ca::ROOT_TOPICS;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking;
use crate::http::decode::{DecodeError, Object};
use crate::http::error::ApiError;
use crate::http::params::{Options, refuse_namespace};
use crate::http::render::leaf::LeafBody;
use crate::http::render::root::RootList;
use crate::http::request::Request;

/// `GET /v1/agent/connect/ca/roots`. A server's own agent always has them: the answer is a hit of
/// age 0, unless a query waited in vain.
pub(super) async fn roots(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    api.require_connect()?;
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_own_datacenter(&request.query)?;
    let waited = blocking::on_agent(&api, &request, &options, ROOT_TOPICS).await?;
    let authority = waited.view.state().authority();
    let body = RootList::of(authority);
    let age = (!waited.timed_out).then_some(0);
    let answer = Api::indexed(&request, &body, waited.index)?.with_cache(age);
    Ok(match authority.configuration() {
        Some(configuration) => answer.with_bundle_max_age(configuration.lifetimes.bundle),
        None => answer,
    })
}

/// `GET /v1/agent/connect/ca/leaf/:service`
pub(super) async fn leaf(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let options = Options::parse(&request.query, &request.headers)?;
    api.require_connect()?;
    api.require_own_datacenter(&request.query)?;
    let service = service_name(&api, &request.rest)?;
    let leafs = api.agent.leafs();
    let served = if options.index == 0 {
        leafs.current(&service).await?
    } else {
        let _slot = blocking::take_slot(&api, &request)?;
        let deadline = blocking::agent_deadline(&options);
        tokio::select! {
            served = leafs.next(&service, options.index, deadline) => served?,
            () = api.shutdown.cancelled() => leafs.current(&service).await?,
        }
    };
    let body = LeafBody::of(&served.leaf)
        .ok_or_else(|| ApiError::internal("the private key of this leaf is not PEM"))?;
    let age = served.hit.then(|| {
        let now = api.server().clock().now().wall;
        now.saturating_since(served.leaf.issued_at).as_secs()
    });
    Ok(Answer::secret_json(&body, request.style)?
        .with_bare_index(served.leaf.index)
        .with_cache(age))
}

/// The name of a service, or Consul's words for what is none.
fn service_name(api: &Api, text: &str) -> Result<ServiceName, ApiError> {
    if text.is_empty() {
        return Err(ApiError::internal("URI must be either service or agent"));
    }
    ServiceName::parse(text).map_err(|error| {
        if !text.contains('/') {
            return ApiError::bad_request(error);
        }
        let view = api.server().view();
        let trust_domain = view.state().authority().trust_domain();
        ApiError::internal(format!(
            "SPIFFE ID is not in the expected format: spiffe://{}/ns/default/dc/{}/svc/{text}",
            trust_domain.map_or("", |trust_domain| trust_domain.as_str()),
            api.datacenter(),
        ))
    })
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VerdictBody<'a> {
    authorized: bool,
    reason: &'a str,
}

/// `POST /v1/agent/connect/authorize`. No lock and no waiting once the body is there.
pub(super) async fn authorize(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let body = request.read_body(&api).await?;
    let (target, uri) = question(&body).map_err(|error| ApiError::undecodable(&error))?;
    let verdict = api.agent.authorize(&target, &uri)?;
    let body = VerdictBody {
        authorized: verdict.authorized,
        reason: &verdict.reason,
    };
    Ok(Answer::json(&body, request.style)?.with_cache(Some(0)))
}

/// Target and URI. The serial is read, and not used, as in Consul.
fn question(body: &[u8]) -> Result<(String, String), DecodeError> {
    const STRUCT: &str = "ConnectAuthorizeRequest";
    let mut fields = Object::read(body, "structs.ConnectAuthorizeRequest", STRUCT)?
        .unwrap_or(Object::empty(STRUCT));
    let target = fields.text("Target", "string")?;
    let uri = fields.text("ClientCertURI", "string")?;
    fields.text("ClientCertSerial", "string")?;
    fields.finish()?;
    Ok((target, uri))
}
