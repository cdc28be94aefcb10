//! Comparing what the catalog says of this node with what the agent knows (Consul's anti-entropy).

use std::borrow::Cow;

use super::poll::SyncKey;
use super::state::LocalState;
use crate::catalog::{Catalog, Check, NODE_ALIVE_CHECK, Node, ServiceInstance};

/// The servers' own service, which no agent registers and none removes.
const SERVERS: &str = "consul";

impl LocalState {
    /// Finds what the catalog lacks, has otherwise, or has though it is gone here; the next
    /// polls say it again. Call it once at the start, and now and then.
    ///
    /// An output alone is no difference, nor are tags that may be overridden in the catalog.
    pub fn reconcile(&mut self, catalog: &Catalog) {
        let node = self.node.name.clone();
        let same_node = catalog
            .node(&node)
            .is_some_and(|known| same(known, &self.node));
        if !same_node || catalog.check(&node, NODE_ALIVE_CHECK).is_none() {
            self.unsaid.insert(SyncKey::Node);
        }
        for known in catalog.services_of_node(&node) {
            if known.id != SERVERS && !self.services.contains_key(&known.id) {
                self.unsaid.insert(SyncKey::Service(known.id.clone()));
            }
        }
        for known in catalog.checks_on_node(&node) {
            let is_ours = known.check_id != NODE_ALIVE_CHECK && known.service_id != SERVERS;
            if is_ours && !self.checks.contains_key(&known.check_id) {
                self.unsaid.insert(SyncKey::Check(known.check_id.clone()));
            }
        }
        for (id, service) in &self.services {
            let known = catalog.instance(&node, id);
            if !known.is_some_and(|known| same_instance(known, &service.instance)) {
                self.unsaid.insert(SyncKey::Service(id.clone()));
            }
        }
        for (check_id, check) in &self.checks {
            let known = catalog.check(&node, check_id);
            if !known.is_some_and(|known| same_check(known, &check.row)) {
                self.unsaid.insert(SyncKey::Check(check_id.clone()));
            }
        }
    }
}

fn same(known: &Node, ours: &Node) -> bool {
    let mut known = known.clone();
    (known.create_index, known.modify_index) = (0, 0);
    known == *ours
}

fn same_instance(known: &ServiceInstance, ours: &ServiceInstance) -> bool {
    let mut known = known.clone();
    (known.create_index, known.modify_index) = (0, 0);
    let mut ours = Cow::Borrowed(ours);
    if ours.enable_tag_override {
        ours.to_mut().tags.clone_from(&known.tags);
    }
    known == *ours
}

fn same_check(known: &Check, ours: &Check) -> bool {
    let told = |check: &Check| {
        let Check { name, notes, .. } = check;
        (
            check.status,
            check.kind,
            check.service_id.clone(),
            name.clone(),
            notes.clone(),
        )
    };
    told(known) == told(ours)
}
