//! `GET /v1/agent/members`: there is no gossip, so the agent knows one member, itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use super::agent::CONSUL_VERSION;
use crate::http::answer::Answer;
use crate::http::api::Api;
use crate::http::error::ApiError;
use crate::http::request::Request;

/// The ports of Consul's gossip inside and between datacenters. Nothing of ours listens there.
const LAN_PORT: u16 = 8_301;
const WAN_PORT: u16 = 8_302;

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct MemberBody {
    name: String,
    addr: String,
    port: u16,
    tags: BTreeMap<&'static str, String>,
    status: u8,
    protocol_min: u8,
    protocol_max: u8,
    protocol_cur: u8,
    delegate_min: u8,
    delegate_max: u8,
    delegate_cur: u8,
}

/// `GET /v1/agent/members?wan=1&segment=_all`
pub(super) async fn list(api: Arc<Api>, request: Request) -> Result<Answer, ApiError> {
    let segment = request.query.first("segment").unwrap_or_default();
    if request.query.text("wan").is_some() {
        let mut member = member(&api);
        member.name = format!("{}.{}", member.name, api.datacenter());
        member.port = WAN_PORT;
        member.tags.remove("wan_join_port");
        return Answer::json(&[member], request.style);
    }
    if !matches!(segment, "" | "_all") {
        return Err(ApiError::internal(
            "Network segments are not supported in this version of Consul",
        ));
    }
    Answer::json(&[member(&api)], request.style)
}

/// The agent as a member of its datacenter, with the tags that Consul's servers have.
pub(super) fn member(api: &Api) -> MemberBody {
    let settings = api.agent.settings();
    MemberBody {
        name: settings.node_name.as_str().to_owned(),
        addr: settings.advertise.to_string(),
        port: LAN_PORT,
        tags: BTreeMap::from([
            ("acls", "0".to_owned()),
            ("build", format!("{CONSUL_VERSION}:")),
            ("dc", api.datacenter().to_owned()),
            ("ft_fs", "1".to_owned()),
            ("id", settings.node_id.to_string()),
            ("port", api.settings.server_port.to_string()),
            ("raft_vsn", "3".to_owned()),
            ("role", "consul".to_owned()),
            ("segment", String::new()),
            ("vsn", "2".to_owned()),
            ("vsn_max", "3".to_owned()),
            ("vsn_min", "2".to_owned()),
            ("wan_join_port", WAN_PORT.to_string()),
        ]),
        // Alive.
        status: 1,
        protocol_min: 1,
        protocol_max: 5,
        protocol_cur: 2,
        delegate_min: 2,
        delegate_max: 5,
        delegate_cur: 4,
    }
}
