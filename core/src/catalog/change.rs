//! What can be asked of the catalog, and what it decides.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Check, Node, ServiceInstance};

/// A wish: what an agent (or an operator) wants the catalog to say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogCommand {
    /// Forget a check.
    DeregisterCheck {
        /// The name of its node.
        node: String,
        /// Which check.
        check_id: String,
    },
    /// Forget a node with all its instances and checks.
    DeregisterNode {
        /// Its name.
        node: String,
    },
    /// Forget an instance with all its checks.
    DeregisterService {
        /// The name of its node.
        node: String,
        /// Which instance.
        id: String,
    },
    /// Make a node known, and with it an instance and checks. What is known already and
    /// does not differ is not written again.
    Register {
        /// The node; the instance and the checks belong to it whatever their `node` says.
        node: Node,
        /// Whether a node that is known already stays as it is.
        keep_node: bool,
        /// An instance on it.
        service: Option<Box<ServiceInstance>>,
        /// Checks of the node or of instances that it has.
        checks: Vec<Check>,
    },
}

/// A decision: one row put or deleted. Applying it follows no rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CatalogChange {
    /// A check is no more.
    DeleteCheck {
        /// The name of its node.
        node: String,
        /// Which check.
        check_id: String,
    },
    /// A node is no more. Its instances and checks are deleted by changes of their own.
    DeleteNode {
        /// Its name.
        node: String,
    },
    /// An instance is no more. Its checks are deleted by changes of their own.
    DeleteService {
        /// The name of its node.
        node: String,
        /// Which instance.
        id: String,
    },
    /// A check is now this.
    PutCheck(Arc<Check>),
    /// A node is now this.
    PutNode(Node),
    /// An instance is now this.
    PutService(Arc<ServiceInstance>),
}

/// Something that a reader of the catalog can wait for. Names are in lower case, because the
/// catalog looks them up without regard to case: make them by the functions below.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CatalogTopic {
    /// All checks.
    Checks,
    /// The instances that stand for a service over mutual TLS, with their health.
    Connect(Arc<str>),
    /// One node, its instances and checks.
    Node(Arc<str>),
    /// The list of nodes.
    Nodes,
    /// The instances of a service, with their health.
    Service(Arc<str>),
    /// The names of services with their tags.
    Services,
}

impl CatalogTopic {
    /// The instances that stand for the service `name` over mutual TLS.
    #[must_use]
    pub fn connect(name: &str) -> Self {
        Self::Connect(folded(name))
    }

    /// The node `name`.
    #[must_use]
    pub fn node(name: &str) -> Self {
        Self::Node(folded(name))
    }

    /// The instances of the service `name`.
    #[must_use]
    pub fn service(name: &str) -> Self {
        Self::Service(folded(name))
    }
}

/// Why the catalog does not take a command. The texts are Consul's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// A node has no address.
    #[error("Must provide address if SkipNodeUpdate is not set")]
    MissingAddress,
    /// A node has no name.
    #[error("Must provide node")]
    MissingNode,
    /// A check is about an instance that its node does not have.
    #[error("failed inserting check: Missing service registration on node {node:?}")]
    MissingService {
        /// The node.
        node: String,
        /// The check.
        check_id: String,
        /// The instance.
        service_id: String,
    },
    /// An instance has no name.
    #[error("Must provide service name with ID")]
    MissingServiceName {
        /// The id that it has.
        id: String,
    },
    /// Another node that is alive has that name.
    #[error(
        "failed inserting node: Error while renaming Node ID: {id:?}: Node name {name} is reserved by node {holder_id} with name {holder_name} ({holder_address})"
    )]
    NameTaken {
        /// The id of the node that asked.
        id: String,
        /// The name that was asked for.
        name: String,
        /// The id of the node that has it.
        holder_id: String,
        /// Its name, whose letter case may differ.
        holder_name: String,
        /// Its address.
        holder_address: String,
    },
}

/// The form in which names are looked up: Consul's catalog ignores their case.
pub(super) fn folded(name: &str) -> Arc<str> {
    if name
        .bytes()
        .any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii())
    {
        name.to_lowercase().into()
    } else {
        name.into()
    }
}
