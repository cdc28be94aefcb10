//! What an agent knows of itself.

use std::collections::BTreeMap;
use std::net::IpAddr;

use chancery_core::{Datacenter, DefaultPolicy, NodeId, NodeName};

use crate::store::DataDir;

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
    /// What its owner says about the node.
    pub node_meta: BTreeMap<String, String>,
    /// The address under which other nodes reach this one.
    pub advertise: IpAddr,
    /// Whether it runs in development mode: answers are printed for people.
    pub dev: bool,
    /// Whether Connect is enabled.
    pub connect: bool,
    /// What holds when no intention matches.
    pub default_policy: DefaultPolicy,
    /// Where the state survives; `None` in memory.
    pub data_dir: Option<DataDir>,
}
