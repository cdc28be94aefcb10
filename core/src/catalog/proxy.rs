//! What a proxy stands for, and what it lets its application reach.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Which gateways traffic to another datacenter goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MeshGatewayMode {
    /// Not said here.
    #[default]
    #[serde(rename = "")]
    Inherit,
    /// Through the gateway of the caller's datacenter.
    Local,
    /// Through none.
    None,
    /// Through the gateway of the destination's datacenter.
    Remote,
}

impl MeshGatewayMode {
    /// Consul's word for it; empty if nothing was said.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Inherit => "",
            Self::Local => "local",
            Self::None => "none",
            Self::Remote => "remote",
        }
    }

    /// The mode that Consul's word means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Inherit, Self::Local, Self::None, Self::Remote]
            .into_iter()
            .find(|mode| mode.as_str() == text)
    }
}

/// What the name of an upstream is the name of.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum UpstreamKind {
    /// A prepared query.
    PreparedQuery,
    /// A service.
    #[default]
    Service,
}

impl UpstreamKind {
    /// Consul's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PreparedQuery => "prepared_query",
            Self::Service => "service",
        }
    }

    /// The kind that Consul's word means; nothing means a service.
    ///
    /// # Errors
    /// For any other word, with Consul's text.
    pub fn parse(text: &str) -> Result<Self, UpstreamKindError> {
        match text {
            "" | "service" => Ok(Self::Service),
            "prepared_query" => Ok(Self::PreparedQuery),
            _ => Err(UpstreamKindError(text.chars().take(64).collect())),
        }
    }
}

/// A word that names no kind of upstream.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown upstream destination type: {0:?}")]
pub struct UpstreamKindError(String);

/// A service that a proxy's application reaches through a local port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Upstream {
    /// What the destination's name is the name of.
    #[serde(default)]
    pub destination_type: UpstreamKind,
    /// Its namespace; empty for the default one.
    #[serde(default)]
    pub destination_namespace: String,
    /// Its name.
    pub destination_name: String,
    /// Its datacenter; empty for the proxy's own.
    #[serde(default)]
    pub datacenter: String,
    /// Where the proxy listens for the application; 127.0.0.1 if empty.
    #[serde(default)]
    pub local_bind_address: String,
    /// The port it listens on.
    pub local_bind_port: u16,
    /// Settings that the proxy understands.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// Which gateways to go through.
    #[serde(default)]
    pub mesh_gateway: MeshGatewayMode,
}

impl Upstream {
    /// The service `destination_name`, reached on the loopback port `local_bind_port`.
    #[must_use]
    pub fn new(destination_name: impl Into<String>, local_bind_port: u16) -> Self {
        Self {
            destination_type: UpstreamKind::Service,
            destination_namespace: String::new(),
            destination_name: destination_name.into(),
            datacenter: String::new(),
            local_bind_address: String::new(),
            local_bind_port,
            config: Map::new(),
            mesh_gateway: MeshGatewayMode::Inherit,
        }
    }

    /// Where the proxy listens, the default filled in.
    #[must_use]
    pub fn bind_address(&self) -> &str {
        if self.local_bind_address.is_empty() {
            "127.0.0.1"
        } else {
            &self.local_bind_address
        }
    }
}

/// A path of the application that the proxy serves to callers outside of the mesh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "Consul's four fields, decoded by name"
)]
pub struct ExposePath {
    /// Where the proxy listens for it.
    pub listener_port: u16,
    /// The path.
    pub path: String,
    /// The application's port.
    pub local_path_port: u16,
    /// `http` or `http2`; `http` if empty.
    #[serde(default)]
    pub protocol: String,
}

/// What the proxy serves to callers outside of the mesh.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "Consul's two fields, decoded by name"
)]
pub struct Expose {
    /// Whether the paths of all HTTP checks are.
    #[serde(default)]
    pub checks: bool,
    /// Single paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<ExposePath>,
}

impl Expose {
    /// Whether nothing is served.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.checks && self.paths.is_empty()
    }
}

/// What a proxy stands for and how (Consul's `Proxy`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct ProxyConfig {
    /// The service it stands for.
    #[serde(default)]
    pub destination_service_name: String,
    /// The instance it stands for, if it stands for one.
    #[serde(default)]
    pub destination_service_id: String,
    /// Where the application is reached; 127.0.0.1 if empty.
    #[serde(default)]
    pub local_service_address: String,
    /// The application's port.
    #[serde(default)]
    pub local_service_port: u16,
    /// Settings that the proxy understands.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub config: Map<String, Value>,
    /// What its application reaches through it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
    /// Which gateways to go through.
    #[serde(default)]
    pub mesh_gateway: MeshGatewayMode,
    /// What is served to callers outside of the mesh.
    #[serde(default, skip_serializing_if = "Expose::is_empty")]
    pub expose: Expose,
}

impl ProxyConfig {
    /// A proxy that stands for `destination_service_name`; the rest is set on its fields.
    #[must_use]
    pub fn new(destination_service_name: impl Into<String>) -> Self {
        Self {
            destination_service_name: destination_service_name.into(),
            ..Self::default()
        }
    }
}
