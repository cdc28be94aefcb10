//! A health check of a node or of an instance, as the catalog knows it.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::GoDuration;

/// The id of the check that says whether a node's agent is alive (Consul's `serfHealth`).
pub const NODE_ALIVE_CHECK: &str = "serfHealth";

/// How something is, from best to worst: the order decides which of several states counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(
    clippy::exhaustive_enums,
    reason = "Consul's three states; a fourth must be handled everywhere"
)]
pub enum CheckStatus {
    /// All is well.
    Passing,
    /// Works, but somebody should look.
    Warning,
    /// Must not be used.
    Critical,
}

impl CheckStatus {
    /// Consul's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The state that Consul's word means.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Passing, Self::Warning, Self::Critical]
            .into_iter()
            .find(|status| status.as_str() == text)
    }

    /// The worst of several states; passing if there are none.
    #[must_use]
    pub fn worst(states: impl IntoIterator<Item = Self>) -> Self {
        states.into_iter().max().unwrap_or(Self::Passing)
    }
}

impl fmt::Display for CheckStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How a check finds out (Consul's `Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum CheckKind {
    /// Takes the state of another service.
    Alias,
    /// Asks an HTTP server.
    Http,
    /// Was switched on by hand, and stays critical until it is switched off.
    Maintenance,
    /// Opens a TCP connection.
    Tcp,
    /// Is told, and becomes critical if it is not told in time.
    Ttl,
    /// Not said, as with `serfHealth`.
    #[default]
    #[serde(rename = "")]
    Unspecified,
}

impl CheckKind {
    /// Consul's word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Http => "http",
            Self::Maintenance => "maintenance",
            Self::Tcp => "tcp",
            Self::Ttl => "ttl",
            Self::Unspecified => "",
        }
    }

    /// The kind that Consul's word means; unspecified for a word that it does not know.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        [
            Self::Alias,
            Self::Http,
            Self::Maintenance,
            Self::Tcp,
            Self::Ttl,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == text)
        .unwrap_or_default()
    }
}

/// What a check looks at that was registered in the catalog, past any agent (Consul's
/// `Definition`): kept for whoever runs it from outside, and run by nobody here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct CheckTarget {
    /// The URL to ask.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub http: String,
    /// Headers for it.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub header: BTreeMap<String, Vec<String>>,
    /// The method.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// A body for it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub body: String,
    /// Whether the server's certificate counts for nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tls_skip_verify: bool,
    /// The address to connect to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tcp: String,
    /// How long to wait between two probes.
    pub interval: GoDuration,
    /// How long one probe may take.
    pub timeout: GoDuration,
    /// The service goes when the check was critical for that long.
    pub deregister_critical_service_after: GoDuration,
}

impl CheckTarget {
    /// The kind of a check with this target.
    #[must_use]
    pub const fn kind(&self) -> CheckKind {
        if !self.http.is_empty() {
            CheckKind::Http
        } else if self.tcp.is_empty() {
            CheckKind::Unspecified
        } else {
            CheckKind::Tcp
        }
    }
}

/// A health check as the catalog stores it, keyed by node and check id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Check {
    /// The name of its node.
    pub node: String,
    /// Which check on that node.
    pub check_id: String,
    /// What it is called.
    pub name: String,
    /// What it found.
    pub status: CheckStatus,
    /// What its owner says about it.
    #[serde(default)]
    pub notes: String,
    /// What it saw when it last looked.
    #[serde(default)]
    pub output: String,
    /// The instance it is about; empty if it is about the node.
    #[serde(default)]
    pub service_id: String,
    /// The name of that instance's service; filled in by the catalog.
    #[serde(default)]
    pub service_name: String,
    /// The tags of that instance; filled in by the catalog.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub service_tags: Vec<String>,
    /// How it finds out.
    #[serde(default)]
    pub kind: CheckKind,
    /// What it looks at, if it was registered past any agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<Box<CheckTarget>>,
    /// The revision that created the row.
    #[serde(default)]
    pub create_index: u64,
    /// The revision that last changed the row.
    #[serde(default)]
    pub modify_index: u64,
}

impl Check {
    /// A check of a node with nothing but the required parts; the rest is set on its fields.
    #[must_use]
    pub fn new(
        node: impl Into<String>,
        check_id: impl Into<String>,
        name: impl Into<String>,
        status: CheckStatus,
    ) -> Self {
        Self {
            node: node.into(),
            check_id: check_id.into(),
            name: name.into(),
            status,
            notes: String::new(),
            output: String::new(),
            service_id: String::new(),
            service_name: String::new(),
            service_tags: Vec::new(),
            kind: CheckKind::Unspecified,
            target: None,
            create_index: 0,
            modify_index: 0,
        }
    }

    /// Whether it is the same in everything but its indexes.
    #[must_use]
    pub fn says_the_same(&self, other: &Self) -> bool {
        let Self {
            node,
            check_id,
            name,
            status,
            notes,
            output,
            service_id,
            service_name,
            service_tags,
            kind,
            target,
            create_index: _,
            modify_index: _,
        } = self;
        *node == other.node
            && *check_id == other.check_id
            && *name == other.name
            && *status == other.status
            && *notes == other.notes
            && *output == other.output
            && *service_id == other.service_id
            && *service_name == other.service_name
            && *service_tags == other.service_tags
            && *kind == other.kind
            && *target == other.target
    }

    /// Whether it is about its node and not about an instance.
    #[must_use]
    pub fn is_of_node(&self) -> bool {
        self.service_id.is_empty()
    }
}
