//! What the agent answers, as far as a proxy needs it. Unknown fields are passed over.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use zeroize::Zeroizing;

/// A registered service, as far as a proxy needs it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AgentService {
    pub(crate) kind: String,
    #[serde(rename = "ID")]
    pub(crate) id: String,
    pub(crate) service: String,
    pub(crate) address: String,
    pub(crate) port: u16,
    pub(crate) proxy: Option<AgentProxy>,
    pub(crate) connect: Option<Connect>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AgentProxy {
    pub(crate) destination_service_name: String,
    #[serde(rename = "DestinationServiceID")]
    pub(crate) destination_service_id: String,
    pub(crate) local_service_address: String,
    pub(crate) local_service_port: u16,
    pub(crate) config: Option<serde_json::Map<String, serde_json::Value>>,
    pub(crate) upstreams: Option<Vec<AgentUpstream>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct AgentUpstream {
    pub(crate) destination_type: String,
    pub(crate) destination_name: String,
    pub(crate) datacenter: String,
    pub(crate) local_bind_address: String,
    pub(crate) local_bind_port: u16,
    pub(crate) config: Option<serde_json::Map<String, serde_json::Value>>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Connect {
    pub(crate) native: bool,
}

/// An intention, as far as it decides.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(crate) struct IntentionRow {
    #[serde(rename = "ID")]
    pub(crate) id: String,
    #[serde(rename = "SourceNS")]
    pub(crate) source_ns: String,
    #[serde(rename = "SourceName")]
    pub(crate) source_name: String,
    #[serde(rename = "DestinationNS")]
    pub(crate) destination_ns: String,
    #[serde(rename = "DestinationName")]
    pub(crate) destination_name: String,
    #[serde(rename = "Action")]
    pub(crate) action: String,
}

/// A leaf certificate with its chain and key. Neither is ever printed.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Leaf {
    #[serde(rename = "CertPEM")]
    pub(crate) certificate: String,
    #[serde(rename = "PrivateKeyPEM")]
    pub(crate) private_key: KeyPem,
    #[serde(rename = "ServiceURI")]
    pub(crate) uri: String,
}

/// A private key as text; wiped when dropped.
#[derive(Clone)]
pub(crate) struct KeyPem(Zeroizing<String>);

impl KeyPem {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for KeyPem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPem(..)")
    }
}

impl<'de> Deserialize<'de> for KeyPem {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(Zeroizing::new(text)))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Roots {
    pub(crate) trust_domain: String,
    pub(crate) roots: Vec<Root>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Root {
    pub(crate) root_cert: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HealthEntry {
    pub(crate) node: Node,
    pub(crate) service: AgentService,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Node {
    pub(crate) address: String,
    pub(crate) datacenter: String,
}

#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AuthorizeRequest<'a> {
    pub(crate) target: &'a str,
    #[serde(rename = "ClientCertURI")]
    pub(crate) uri: &'a str,
    #[serde(rename = "ClientCertSerial")]
    pub(crate) serial: &'a str,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Authorization {
    pub(crate) authorized: bool,
    pub(crate) reason: String,
}
