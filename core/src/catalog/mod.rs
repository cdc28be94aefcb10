//! The catalog: which nodes there are, which instances of services run on them, and how they are.
//!
//! It is a piece of the replicated state. [`Catalog::propose`] decides what a command changes,
//! [`Catalog::apply`] does what was decided; the one has all the rules and the other none. A
//! clone shares everything with its original, so a reader keeps the view it took.

mod apply;
mod change;
mod check;
mod node;
mod propose;
mod proxy;
mod query;
mod service;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use imbl::{OrdMap, OrdSet};

pub use change::{CatalogChange, CatalogCommand, CatalogError, CatalogTopic};
pub use check::{Check, CheckKind, CheckStatus, CheckTarget, NODE_ALIVE_CHECK};
pub use node::{Node, NodeId, NodeIdError};
pub use proxy::{
    Expose, ExposePath, MeshGatewayMode, ProxyConfig, Upstream, UpstreamKind, UpstreamKindError,
};
pub use query::Endpoint;
pub use service::{ServiceAddress, ServiceInstance, ServiceKind, Weights};

/// The nodes, instances and checks of one datacenter.
///
/// * [`propose`](Self::propose) decides about a command and changes nothing.
/// * [`apply`](Self::apply) does one decided change and says which topics it touched.
/// * All other methods answer questions, in the order in which Consul answers them.
///
/// Nodes and services are looked up without regard to the case of their names, as Consul does;
/// ids of instances and checks are compared exactly.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Catalog {
    nodes: OrdMap<Arc<str>, Arc<Node>>,
    node_names: OrdMap<NodeId, Arc<str>>,
    services: OrdMap<RowKey, Arc<ServiceInstance>>,
    by_name: OrdSet<(Arc<str>, RowKey)>,
    by_destination: OrdSet<(Arc<str>, RowKey)>,
    checks: OrdMap<RowKey, Arc<Check>>,
    /// Node, instance (empty for checks of the node itself), check.
    by_instance: OrdSet<(RowKey, Arc<str>)>,
}

/// A row that belongs to a node: the node's folded name, and an exact id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    node: Arc<str>,
    id: Arc<str>,
}

impl RowKey {
    fn new(node: &str, id: &str) -> Self {
        Self {
            node: change::folded(node),
            id: id.into(),
        }
    }

    /// The one before all others.
    fn first() -> Self {
        Self::new("", "")
    }
}
