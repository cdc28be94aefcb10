//! What somebody asks the agent to look after, as it was said: nothing here is checked yet.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::GoDuration;
use crate::catalog::{ProxyConfig, ServiceAddress, ServiceKind};

/// A service to register, as the API, a configuration file or the command line describes it.
///
/// [`Registration::check`](Self::check) makes a [`CheckedRegistration`](super::CheckedRegistration)
/// of it. The serde form is our own, for keeping registrations on disk; Consul's JSON is decoded
/// by the host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct Registration {
    /// What it is in the mesh.
    pub kind: ServiceKind,
    /// Which instance; the name if empty.
    pub id: String,
    /// Which service; required.
    pub name: String,
    /// Labels.
    pub tags: Vec<String>,
    /// Where it is reached; the node's address if empty.
    pub address: String,
    /// Further addresses by purpose.
    pub tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// What its owner says about it.
    pub meta: BTreeMap<String, String>,
    /// Where it listens.
    pub port: u16,
    /// A first check. Counts before `checks`, and not at all if it says nothing.
    pub check: Option<CheckDefinition>,
    /// Further checks.
    pub checks: Vec<CheckDefinition>,
    /// Its share of the traffic; 1 and 1 if not said.
    pub weights: Option<WeightsDefinition>,
    /// Whether the tags may be changed in the catalog, past the agent.
    pub enable_tag_override: bool,
    /// What it proxies.
    pub proxy: Option<ProxyConfig>,
    /// Whether it speaks mutual TLS itself (Consul's `Connect.Native`).
    pub connect_native: bool,
    /// A proxy to register beside it (Consul's `Connect.SidecarService`).
    pub sidecar: Option<Box<Self>>,
}

/// Weights as they were said: any numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "Consul's two numbers, decoded by name"
)]
pub struct WeightsDefinition {
    /// While all checks pass.
    pub passing: i64,
    /// While one warns.
    pub warning: i64,
}

/// A health check as it was said. Which kind it is follows from which fields are set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct CheckDefinition {
    /// Which check; made from the service's id (or the check's name) if empty.
    pub check_id: String,
    /// What it is called.
    pub name: String,
    /// Its state until it knows better; critical if empty.
    pub status: String,
    /// What its owner says about it.
    pub notes: String,
    /// A command; refused.
    pub script_args: Vec<String>,
    /// A container to run the command in; refused.
    pub docker_container_id: String,
    /// A gRPC server; refused.
    pub grpc: String,
    /// The URL to ask.
    pub http: String,
    /// Headers for it.
    pub header: BTreeMap<String, Vec<String>>,
    /// The method; GET if empty.
    pub method: String,
    /// A body for it.
    pub body: String,
    /// Whether the server's certificate counts for nothing.
    pub tls_skip_verify: bool,
    /// The address to connect to.
    pub tcp: String,
    /// How long to wait between two probes.
    pub interval: GoDuration,
    /// How long one probe may take; 10 s if not said.
    pub timeout: GoDuration,
    /// How long a word from the service counts.
    pub ttl: GoDuration,
    /// The node of the service to follow; this one if empty.
    pub alias_node: String,
    /// The instance to follow.
    pub alias_service: String,
    /// How many probes in a row must succeed before it passes; 0 and 1 mean one.
    pub success_before_passing: u32,
    /// How many probes in a row must fail before it is critical; 0 and 1 mean one.
    pub failures_before_critical: u32,
    /// The service goes when the check was critical for that long.
    pub deregister_critical_service_after: GoDuration,
    /// How many bytes of output are kept; the agent's limit if 0.
    pub output_max_size: i64,
}

impl CheckDefinition {
    /// Whether nothing was said, not even a name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A check that is registered by itself (Consul's `/v1/agent/check/register`).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct CheckRegistration {
    /// The check. Its id is its name if empty.
    pub definition: CheckDefinition,
    /// The instance it is about; the node if empty.
    pub service_id: String,
}
