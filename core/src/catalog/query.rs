//! Questions to the catalog. Every answer is in the order of node name, then id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imbl::OrdSet;

use super::change::folded;
use super::{Catalog, Check, CheckStatus, Node, NodeId, RowKey, ServiceInstance};

/// An instance with what a caller needs to judge and reach it (an entry of Consul's health answers).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Endpoint<'a> {
    /// The node it runs on.
    pub node: &'a Node,
    /// The instance.
    pub service: &'a ServiceInstance,
    /// The checks of the node, then its own.
    pub checks: Vec<&'a Check>,
}

impl Endpoint<'_> {
    /// The worst state of its checks; passing if it has none.
    #[must_use]
    pub fn status(&self) -> CheckStatus {
        CheckStatus::worst(self.checks.iter().map(|check| check.status))
    }

    /// The host to reach it at: its own address, or its node's if it has none.
    #[must_use]
    pub fn host(&self) -> &str {
        if self.service.address.is_empty() {
            &self.node.address
        } else {
            &self.service.address
        }
    }
}

impl Catalog {
    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().map(AsRef::as_ref)
    }

    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.get(&folded(name)).map(AsRef::as_ref)
    }

    /// The node with that id.
    #[must_use]
    pub fn node_by_id(&self, id: NodeId) -> Option<&Node> {
        let name = self.node_names.get(&id)?;
        self.nodes.get(name).map(AsRef::as_ref)
    }

    /// All names of services as they are written, each with the tags that any instance has.
    #[must_use]
    pub fn services(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut names = BTreeMap::<&str, BTreeSet<&str>>::new();
        for instance in self.services.values() {
            names
                .entry(&instance.name)
                .or_default()
                .extend(instance.tags.iter().map(String::as_str));
        }
        names
    }

    /// All instances of all services.
    pub fn instances(&self) -> impl Iterator<Item = &ServiceInstance> {
        self.services.values().map(AsRef::as_ref)
    }

    /// All checks.
    pub fn checks(&self) -> impl Iterator<Item = &Check> {
        self.checks.values().map(AsRef::as_ref)
    }

    /// One instance.
    #[must_use]
    pub fn instance(&self, node: &str, id: &str) -> Option<&ServiceInstance> {
        self.services.get(&RowKey::new(node, id)).map(AsRef::as_ref)
    }

    /// One instance, to be kept beside the catalog without a copy.
    pub(crate) fn shared_instance(&self, node: &str, id: &str) -> Option<&Arc<ServiceInstance>> {
        self.services.get(&RowKey::new(node, id))
    }

    /// One check, to be kept beside the catalog without a copy.
    pub(crate) fn shared_check(&self, node: &str, check_id: &str) -> Option<&Arc<Check>> {
        self.checks.get(&RowKey::new(node, check_id))
    }

    /// One check.
    #[must_use]
    pub fn check(&self, node: &str, check_id: &str) -> Option<&Check> {
        self.checks
            .get(&RowKey::new(node, check_id))
            .map(AsRef::as_ref)
    }

    /// The instances of the service `name`.
    pub fn service<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = &'a ServiceInstance> + use<'a> {
        self.indexed(&self.by_name, folded(name))
    }

    /// The instances through which the service `name` is reached over mutual TLS: the proxies
    /// that stand for it, and its own instances that are native.
    pub fn connect<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = &'a ServiceInstance> + use<'a> {
        self.indexed(&self.by_destination, folded(name))
    }

    /// The instances on the node `name`.
    pub fn services_of_node<'a>(
        &'a self,
        name: &str,
    ) -> impl Iterator<Item = &'a ServiceInstance> + use<'a> {
        let first = RowKey::new(name, "");
        let node = first.node.clone();
        self.services
            .range(first..)
            .take_while(move |(key, _)| key.node == node)
            .map(|(_, instance)| instance.as_ref())
    }

    /// All checks on the node `name`: its own and those of its instances.
    pub fn checks_on_node<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Check> + use<'a> {
        let first = RowKey::new(name, "");
        let node = first.node.clone();
        self.checks
            .range(first..)
            .take_while(move |(key, _)| key.node == node)
            .map(|(_, check)| check.as_ref())
    }

    /// The checks of the node itself (`service_id` empty) or of one of its instances.
    pub fn checks_of<'a>(
        &'a self,
        node: &str,
        service_id: &str,
    ) -> impl Iterator<Item = &'a Check> + use<'a> {
        let owner = RowKey::new(node, service_id);
        self.by_instance
            .range((owner.clone(), Arc::from(""))..)
            .take_while(move |(of, _)| *of == owner)
            .filter_map(|(of, check_id)| {
                self.checks.get(&RowKey {
                    node: of.node.clone(),
                    id: check_id.clone(),
                })
            })
            .map(AsRef::as_ref)
    }

    /// An instance with its node and all checks that count for it; none if its node is gone.
    #[must_use]
    pub fn endpoint<'a>(&'a self, service: &'a ServiceInstance) -> Option<Endpoint<'a>> {
        let node = self.node(&service.node)?;
        let checks = self
            .checks_of(&service.node, "")
            .chain(self.checks_of(&service.node, &service.id))
            .collect();
        Some(Endpoint {
            node,
            service,
            checks,
        })
    }

    /// The worst state of the checks that count for an instance; passing if there are none.
    #[must_use]
    pub fn status(&self, service: &ServiceInstance) -> CheckStatus {
        let of_node = self.checks_of(&service.node, "");
        let own = self.checks_of(&service.node, &service.id);
        CheckStatus::worst(of_node.chain(own).map(|check| check.status))
    }

    fn indexed<'a>(
        &'a self,
        index: &'a OrdSet<(Arc<str>, RowKey)>,
        name: Arc<str>,
    ) -> impl Iterator<Item = &'a ServiceInstance> + use<'a> {
        index
            .range((name.clone(), RowKey::first())..)
            .take_while(move |(of, _)| *of == name)
            .filter_map(|(_, key)| self.services.get(key))
            .map(AsRef::as_ref)
    }
}
