//! What an agent knows of itself.

use std::net::IpAddr;

use chancery_core::{Datacenter, NodeId, NodeName};

/// The agent's own facts, fixed for its life.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever starts an agent must decide every one of them"
)]
pub struct AgentSettings {
    /// The datacenter it is in.
    pub datacenter: Datacenter,
    /// The name of its node.
    pub node_name: NodeName,
    /// The id of its node.
    pub node_id: NodeId,
    /// The address under which other nodes reach this one.
    pub advertise: IpAddr,
    /// The port that `/v1/status/leader` names; nothing of ours listens there.
    pub server_port: u16,
    /// Whether it runs in development mode: answers are printed for people.
    pub dev: bool,
    /// Whether Connect is enabled.
    pub connect: bool,
}
