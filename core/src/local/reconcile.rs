//! Comparing what the catalog says of this node with what the agent knows (Consul's anti-entropy).

use std::borrow::Cow;
use std::sync::Arc;

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
            if known.id != SERVERS && !self.services.contains_key(known.id.as_str()) {
                self.unsaid
                    .insert(SyncKey::Service(known.id.as_str().into()));
            }
        }
        for known in catalog.checks_on_node(&node) {
            let is_ours = known.check_id != NODE_ALIVE_CHECK && known.service_id != SERVERS;
            if is_ours && !self.checks.contains_key(known.check_id.as_str()) {
                let check_id = known.check_id.as_str().into();
                self.unsaid.insert(SyncKey::Check(check_id));
            }
        }
        for (id, service) in &mut self.services {
            share_instance(&mut service.instance, catalog);
            let known = catalog.instance(&node, id);
            if !known.is_some_and(|known| same_instance(known, &service.instance)) {
                self.unsaid.insert(SyncKey::Service(Arc::clone(id)));
            }
        }
        for (check_id, check) in &mut self.checks {
            share_check(&mut check.row, catalog);
            let known = catalog.check(&node, check_id);
            if !known.is_some_and(|known| same_check(known, &check.row)) {
                self.unsaid.insert(SyncKey::Check(Arc::clone(check_id)));
            }
        }
    }

    /// The catalog took a command: what it now says word for word is kept in memory once, for
    /// both.
    pub fn stored(&mut self, key: &SyncKey, catalog: &Catalog) {
        match key {
            SyncKey::Node => {}
            SyncKey::Service(id) => {
                if let Some(service) = self.services.get_mut(id) {
                    share_instance(&mut service.instance, catalog);
                }
                for check_id in self.by_service.of(id) {
                    if let Some(check) = self.checks.get_mut(check_id) {
                        share_check(&mut check.row, catalog);
                    }
                }
            }
            SyncKey::Check(id) => {
                if let Some(check) = self.checks.get_mut(id) {
                    share_check(&mut check.row, catalog);
                }
            }
        }
    }
}

/// Takes the catalog's row in place of an equal one.
fn share_instance(ours: &mut Arc<ServiceInstance>, catalog: &Catalog) {
    if let Some(known) = catalog.shared_instance(&ours.node, &ours.id)
        && !Arc::ptr_eq(known, ours)
        && known.says_the_same(ours)
    {
        *ours = Arc::clone(known);
    }
}

/// Takes the catalog's row in place of an equal one.
fn share_check(ours: &mut Arc<Check>, catalog: &Catalog) {
    if let Some(known) = catalog.shared_check(&ours.node, &ours.check_id)
        && !Arc::ptr_eq(known, ours)
        && known.says_the_same(ours)
    {
        *ours = Arc::clone(known);
    }
}

fn same(known: &Node, ours: &Node) -> bool {
    let mut known = known.clone();
    (known.create_index, known.modify_index) = (0, 0);
    known == *ours
}

fn same_instance(known: &ServiceInstance, ours: &ServiceInstance) -> bool {
    if known.says_the_same(ours) {
        return true;
    }
    let mut ours = Cow::Borrowed(ours);
    if ours.enable_tag_override {
        ours.to_mut().tags.clone_from(&known.tags);
    }
    known.says_the_same(&ours)
}

fn same_check(known: &Check, ours: &Check) -> bool {
    let told = |check: &Check| (check.status, check.kind);
    told(known) == told(ours)
        && known.service_id == ours.service_id
        && known.name == ours.name
        && known.notes == ours.notes
}
