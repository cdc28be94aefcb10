//! An instance of a service on a node.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::proxy::ProxyConfig;

/// What an instance is in the mesh (Consul's `Kind`).
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[non_exhaustive]
pub enum ServiceKind {
    /// A sidecar or other proxy that stands for a destination service.
    #[serde(rename = "connect-proxy")]
    ConnectProxy,
    /// A gateway that lets traffic into the mesh.
    #[serde(rename = "ingress-gateway")]
    IngressGateway,
    /// A gateway between datacenters.
    #[serde(rename = "mesh-gateway")]
    MeshGateway,
    /// A gateway to services outside of the mesh.
    #[serde(rename = "terminating-gateway")]
    TerminatingGateway,
    /// An ordinary application.
    #[default]
    #[serde(rename = "")]
    Typical,
}

impl ServiceKind {
    const ALL: [Self; 5] = [
        Self::ConnectProxy,
        Self::IngressGateway,
        Self::MeshGateway,
        Self::TerminatingGateway,
        Self::Typical,
    ];

    /// Consul's word for it; empty for an ordinary application.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ConnectProxy => "connect-proxy",
            Self::IngressGateway => "ingress-gateway",
            Self::MeshGateway => "mesh-gateway",
            Self::TerminatingGateway => "terminating-gateway",
            Self::Typical => "",
        }
    }

    /// The kind that Consul's word means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether it is one of the gateways.
    #[must_use]
    pub const fn is_gateway(self) -> bool {
        matches!(
            self,
            Self::IngressGateway | Self::MeshGateway | Self::TerminatingGateway
        )
    }
}

impl fmt::Display for ServiceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How much of the traffic an instance gets, by its health (Consul's DNS weights).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "one weight for each state in which an instance is used"
)]
pub struct Weights {
    /// While all its checks pass.
    pub passing: u16,
    /// While one of its checks warns.
    pub warning: u16,
}

impl Default for Weights {
    fn default() -> Self {
        Self {
            passing: 1,
            warning: 1,
        }
    }
}

/// An address with a port, as tagged addresses of services have them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "an address and a port are complete"
)]
pub struct ServiceAddress {
    /// An IP address or a host name.
    pub address: String,
    /// The port.
    pub port: u16,
}

/// An instance of a service as the catalog stores it, keyed by node and id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ServiceInstance {
    /// The name of its node.
    pub node: String,
    /// Which instance on that node.
    pub id: String,
    /// Which service it is an instance of.
    pub name: String,
    /// What it is in the mesh.
    #[serde(default)]
    pub kind: ServiceKind,
    /// Labels, in the order they were given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// What its owner says about it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Where it listens; 0 if it does not say.
    #[serde(default)]
    pub port: u16,
    /// Where it is reached; the node's address if empty.
    #[serde(default)]
    pub address: String,
    /// Further addresses by purpose.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Its share of the traffic.
    #[serde(default)]
    pub weights: Weights,
    /// Whether the tags may be changed in the catalog, past its agent.
    #[serde(default)]
    pub enable_tag_override: bool,
    /// What it proxies, if it is a proxy or a gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<Box<ProxyConfig>>,
    /// Whether it speaks mutual TLS itself, without a proxy.
    #[serde(default)]
    pub connect_native: bool,
    /// The revision that created the row.
    #[serde(default)]
    pub create_index: u64,
    /// The revision that last changed the row.
    #[serde(default)]
    pub modify_index: u64,
}

impl ServiceInstance {
    /// An ordinary instance with nothing but the required parts; the rest is set on its fields.
    #[must_use]
    pub fn new(node: impl Into<String>, id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            id: id.into(),
            name: name.into(),
            kind: ServiceKind::Typical,
            tags: Vec::new(),
            meta: BTreeMap::new(),
            port: 0,
            address: String::new(),
            tagged_addresses: BTreeMap::new(),
            weights: Weights::default(),
            enable_tag_override: false,
            proxy: None,
            connect_native: false,
            create_index: 0,
            modify_index: 0,
        }
    }

    /// The service that is reached through this instance over mutual TLS: the destination of a
    /// proxy, or the service itself if it is native; none for others (Consul's `connect` index).
    #[must_use]
    pub fn connect_destination(&self) -> Option<&str> {
        if self.kind == ServiceKind::ConnectProxy {
            let proxy = self.proxy.as_ref()?;
            return Some(&proxy.destination_service_name);
        }
        self.connect_native.then_some(self.name.as_str())
    }

    /// Whether it is the same in everything but its indexes.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self {
            node,
            id,
            name,
            kind,
            tags,
            meta,
            port,
            address,
            tagged_addresses,
            weights,
            enable_tag_override,
            proxy,
            connect_native,
            create_index: _,
            modify_index: _,
        } = self;
        *node == other.node
            && *id == other.id
            && *name == other.name
            && *kind == other.kind
            && *tags == other.tags
            && *meta == other.meta
            && *port == other.port
            && *address == other.address
            && *tagged_addresses == other.tagged_addresses
            && *weights == other.weights
            && *enable_tag_override == other.enable_tag_override
            && *proxy == other.proxy
            && *connect_native == other.connect_native
    }
}
