//! A health check of a node or of an instance, as the catalog knows it.

use std::fmt;

use serde::{Deserialize, Serialize};

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
            Self::Tcp => "tcp",
            Self::Ttl => "ttl",
            Self::Unspecified => "",
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
            create_index: 0,
            modify_index: 0,
        }
    }

    /// Whether it is about its node and not about an instance.
    #[must_use]
    pub fn is_of_node(&self) -> bool {
        self.service_id.is_empty()
    }
}
