//! `/v1/agent/…`: the agent itself and the services that it looks after.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::{LocalService, LocalState};
use http::HeaderValue;
use http::header::HeaderName;
use serde::Serialize;
use serde_json::json;
use tokio::time::{Instant, timeout_at};

use super::members::{MemberBody, member};
use crate::definition::service_from_json;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::blocking;
use crate::http::error::ApiError;
use crate::http::filter::Wanted;
use crate::http::params::{Options, parse_bool, refuse_namespace};
use crate::http::render::service::AgentServiceBody;
use crate::http::render::shape;
use crate::http::request::Request;

const CONTENT_HASH: HeaderName = HeaderName::from_static("x-consul-contenthash");

/// The version of Consul whose API this is: clients decide by it what they may ask for.
pub(super) const CONSUL_VERSION: &str = "1.8.7";

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct SelfBody {
    config: ConfigBody,
    debug_config: serde_json::Value,
    coord: serde_json::Value,
    member: MemberBody,
    stats: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    meta: BTreeMap<String, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConfigBody {
    datacenter: String,
    node_name: String,
    #[serde(rename = "NodeID")]
    node_id: String,
    revision: &'static str,
    server: bool,
    version: &'static str,
}

/// `GET /v1/agent/self`: what clients look for, in Consul's places. There is no gossip, so the
/// agent is the one member it knows, and its coordinate is the origin.
pub(super) async fn about_itself(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let settings = api.agent.settings();
    let (services, checks, meta) = api.agent.local().read(|local| {
        let counts = (local.services().count(), local.checks().count());
        (counts.0, counts.1, local.node().meta.clone())
    });
    let body = SelfBody {
        config: ConfigBody {
            datacenter: api.datacenter().to_owned(),
            node_name: settings.node_name.as_str().to_owned(),
            node_id: settings.node_id.to_string(),
            revision: "",
            server: true,
            version: CONSUL_VERSION,
        },
        debug_config: json!({
            "AdvertiseAddrLAN": settings.advertise.to_string(),
            "ConnectEnabled": settings.connect,
            "Datacenter": api.datacenter(),
            "DevMode": settings.dev,
            "GRPCPort": -1,
            "NodeID": settings.node_id.to_string(),
            "NodeName": settings.node_name.as_str(),
            "ServerMode": true,
            "ServerPort": api.settings.server_port,
        }),
        coord: json!({
            "Vec": [0, 0, 0, 0, 0, 0, 0, 0], "Error": 1.5, "Adjustment": 0, "Height": 0.00001,
        }),
        member: member(&api),
        stats: stats(&api, services, checks),
        meta,
    };
    Answer::json(&body, request.style)
}

fn stats(
    api: &Api,
    services: usize,
    checks: usize,
) -> BTreeMap<&'static str, BTreeMap<&'static str, String>> {
    let revision = api.server().view().state().revision().to_string();
    BTreeMap::from([
        (
            "agent",
            BTreeMap::from([
                ("checks", checks.to_string()),
                ("services", services.to_string()),
            ]),
        ),
        (
            "build",
            BTreeMap::from([("version", CONSUL_VERSION.to_owned())]),
        ),
        (
            "chancery",
            BTreeMap::from([("version", env!("CARGO_PKG_VERSION").to_owned())]),
        ),
        (
            "consul",
            BTreeMap::from([
                ("acl", "disabled".to_owned()),
                ("leader", "true".to_owned()),
                ("leader_addr", api.server_address()),
                ("server", "true".to_owned()),
            ]),
        ),
        (
            "raft",
            BTreeMap::from([
                ("applied_index", revision.clone()),
                ("commit_index", revision),
                ("state", "Leader".to_owned()),
            ]),
        ),
    ])
}

/// `GET /v1/agent/services`
pub(super) async fn services(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let mut wanted = Wanted::of(&request.query, &shape::SERVICE)?;
    api.agent.local().read(|local| {
        let mut services = BTreeMap::new();
        for service in local.services() {
            let body = AgentServiceBody::of(&service.instance, None);
            if wanted.is(&body)? {
                services.insert(service.instance.id.as_str(), body);
            }
        }
        Answer::json(&services, request.style)
    })
}

/// `GET /v1/agent/service/:id`. Waits while the hash is the one given.
pub(super) async fn service(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    let options = Options::parse(&request.query, &request.headers)?;
    if let Some(hash) = request.query.text("hash") {
        let has_that_hash = |local: &LocalState| {
            local
                .service(&request.rest)
                .is_some_and(|service| service.content_hash == hash)
        };
        wait_while(&api, &request, &options, has_that_hash).await?;
    }
    api.agent.local().read(|local| {
        let found: &LocalService = local
            .service(&request.rest)
            .ok_or_else(|| ApiError::not_found(format!("unknown service ID: {}", request.rest)))?;
        let body = AgentServiceBody::of(&found.instance, Some(&found.content_hash));
        let answer = Answer::json(&body, request.style)?;
        Ok(match HeaderValue::from_str(&found.content_hash) {
            Ok(hash) => answer.with(CONTENT_HASH, hash),
            Err(_) => answer,
        })
    })
}

/// Waits, by the servers' rule, while something holds of the agent's services.
async fn wait_while(
    api: &Api,
    request: &Request,
    options: &Options,
    holds: impl Fn(&LocalState) -> bool,
) -> Result<(), ApiError> {
    let mut changes = api.agent.local().definitions();
    if !api.agent.local().read(&holds) {
        return Ok(());
    }
    let _slot = blocking::take_slot(api, request)?;
    let deadline = Instant::now() + blocking::server_wait(api, options);
    let ended =
        async { while changes.changed().await.is_ok() && api.agent.local().read(&holds) {} };
    tokio::select! {
        _in_time = timeout_at(deadline, ended) => {}
        () = api.shutdown.cancelled() => {}
    }
    Ok(())
}

/// `PUT /v1/agent/service/register`
pub(super) async fn register(api: Arc<Api>, mut request: Request) -> Result<Answer, ApiError> {
    let body = request.read_body(&api).await?;
    crate::http::decode::check_depth(&body)
        .map_err(|error| ApiError::undecodable_for_agent(&error))?;
    let definition =
        service_from_json(&body).map_err(|error| ApiError::undecodable_for_agent(&error))?;
    refuse_namespace(&request.query, &request.headers)?;
    let replace_checks = request
        .query
        .first("replace-existing-checks")
        .is_some_and(|said| said.is_empty() || parse_bool(said) == Some(true));
    let local = api.agent.local();
    let settings = local.read(|local| local.settings().clone());
    let node = api.agent.settings().node_name.as_str();
    let registration = definition.registration.check(node, &settings)?;
    local.register(registration, replace_checks).await?;
    Ok(Answer::empty())
}

/// `PUT /v1/agent/service/deregister/:id`
pub(super) async fn deregister(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    refuse_namespace(&request.query, &request.headers)?;
    api.agent.local().deregister(&request.rest).await?;
    Ok(Answer::empty())
}

/// `PUT /v1/agent/reload`
pub(super) async fn reload(api: Arc<Api>, _request: Request) -> Result<Answer, ApiError> {
    let reloaded = api.agent.reload().await;
    reloaded.map_err(|error| ApiError::internal(error.to_string()))?;
    Ok(Answer::empty())
}
