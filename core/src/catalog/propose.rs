//! Deciding what a command changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{
    Catalog, CatalogChange, CatalogCommand, CatalogError, Check, CheckStatus, NODE_ALIVE_CHECK,
    Node, ServiceInstance,
};

impl Catalog {
    /// Decides what `command` changes; nothing if the catalog says all of it already.
    ///
    /// `revision` is the one that the write will have; new and changed rows carry it.
    ///
    /// # Errors
    /// [`CatalogError`], and then nothing changes.
    pub fn propose(
        &self,
        command: CatalogCommand,
        revision: u64,
    ) -> Result<Vec<CatalogChange>, CatalogError> {
        let mut draft = Draft {
            catalog: self.clone(),
            revision,
            changes: Vec::new(),
        };
        match command {
            CatalogCommand::DeregisterCheck { node, check_id } => {
                draft.delete_check(&node, &check_id);
            }
            CatalogCommand::DeregisterNode { node } => draft.delete_node(&node),
            CatalogCommand::DeregisterService { node, id } => draft.delete_service(&node, &id),
            CatalogCommand::Register {
                node,
                keep_node,
                service,
                checks,
            } => {
                let name = node.name.clone();
                if !(keep_node && self.node(&name).is_some()) {
                    draft.put_node(node)?;
                }
                if let Some(service) = service {
                    draft.put_service(&name, *service)?;
                }
                // Of two checks with one id the last one counts, and is written once.
                let last = checks
                    .into_iter()
                    .map(|check| (check.check_id.clone(), check));
                for check in last.collect::<BTreeMap<_, _>>().into_values() {
                    draft.put_check(&name, check)?;
                }
            }
        }
        Ok(draft.changes)
    }
}

/// The catalog as it will be, and the changes that lead there. Each step is applied at once, so
/// that the next one is decided on what the one before left.
struct Draft {
    catalog: Catalog,
    revision: u64,
    changes: Vec<CatalogChange>,
}

impl Draft {
    fn put_node(&mut self, mut node: Node) -> Result<(), CatalogError> {
        if node.name.is_empty() {
            return Err(CatalogError::MissingNode);
        }
        if node.address.is_empty() {
            return Err(CatalogError::MissingAddress);
        }
        self.refuse_taken_name(&node)?;
        let renamed = self
            .catalog
            .node_by_id(node.id)
            .filter(|known| known.name.to_lowercase() != node.name.to_lowercase())
            .map(|known| known.name.clone());
        if let Some(old_name) = renamed {
            self.delete_node(&old_name);
        }
        let old = self.catalog.node(&node.name);
        if let (Some(old), true) = (old, node.id.is_nil()) {
            node.id = old.id;
        }
        node.create_index = old.map_or(self.revision, |old| old.create_index);
        node.modify_index = old.map_or(self.revision, |old| old.modify_index);
        if old != Some(&node) {
            node.modify_index = self.revision;
            self.change(CatalogChange::PutNode(node));
        }
        Ok(())
    }

    /// A node that is alive keeps its name (Consul's rule); one whose agent is known to be gone,
    /// or was never watched, may be taken over by another with a new id.
    fn refuse_taken_name(&self, node: &Node) -> Result<(), CatalogError> {
        let Some(holder) = self.catalog.node(&node.name) else {
            return Ok(());
        };
        let alive = self
            .catalog
            .check(&holder.name, NODE_ALIVE_CHECK)
            .is_some_and(|check| check.status != CheckStatus::Critical);
        if node.id.is_nil() || holder.id == node.id || !alive {
            return Ok(());
        }
        Err(CatalogError::NameTaken {
            id: node.id.to_string(),
            name: node.name.clone(),
            holder_id: holder.id.to_string(),
            holder_name: holder.name.clone(),
            holder_address: holder.address.clone(),
        })
    }

    fn put_service(
        &mut self,
        node: &str,
        mut service: ServiceInstance,
    ) -> Result<(), CatalogError> {
        if service.name.is_empty() {
            return Err(CatalogError::MissingServiceName { id: service.id });
        }
        if service.id.is_empty() {
            service.id.clone_from(&service.name);
        }
        node.clone_into(&mut service.node);
        let old = self.catalog.instance(node, &service.id);
        service.create_index = old.map_or(self.revision, |old| old.create_index);
        service.modify_index = old.map_or(self.revision, |old| old.modify_index);
        if old == Some(&service) {
            return Ok(());
        }
        service.modify_index = self.revision;
        let outdated = self
            .catalog
            .checks_of(node, &service.id)
            .filter(|check| {
                check.service_name != service.name || check.service_tags != service.tags
            })
            .cloned()
            .collect::<Vec<_>>();
        let (name, tags) = (service.name.clone(), service.tags.clone());
        self.change(CatalogChange::PutService(Arc::new(service)));
        for mut check in outdated {
            check.service_name.clone_from(&name);
            check.service_tags.clone_from(&tags);
            check.modify_index = self.revision;
            self.change(CatalogChange::PutCheck(Arc::new(check)));
        }
        Ok(())
    }

    fn put_check(&mut self, node: &str, mut check: Check) -> Result<(), CatalogError> {
        node.clone_into(&mut check.node);
        if check.is_of_node() {
            check.service_name.clear();
            check.service_tags.clear();
        } else {
            let Some(service) = self.catalog.instance(node, &check.service_id) else {
                return Err(CatalogError::MissingService {
                    node: node.to_owned(),
                    check_id: check.check_id,
                    service_id: check.service_id,
                });
            };
            check.service_name.clone_from(&service.name);
            check.service_tags.clone_from(&service.tags);
        }
        let old = self.catalog.check(node, &check.check_id);
        check.create_index = old.map_or(self.revision, |old| old.create_index);
        check.modify_index = old.map_or(self.revision, |old| old.modify_index);
        if old != Some(&check) {
            check.modify_index = self.revision;
            self.change(CatalogChange::PutCheck(Arc::new(check)));
        }
        Ok(())
    }

    fn delete_node(&mut self, node: &str) {
        let checks = self.catalog.checks_on_node(node).cloned();
        for check in checks.collect::<Vec<_>>() {
            self.delete_check(node, &check.check_id);
        }
        let services = self.catalog.services_of_node(node).cloned();
        for service in services.collect::<Vec<_>>() {
            self.delete_service(node, &service.id);
        }
        if let Some(known) = self.catalog.node(node) {
            let node = known.name.clone();
            self.change(CatalogChange::DeleteNode { node });
        }
    }

    fn delete_service(&mut self, node: &str, id: &str) {
        if self.catalog.instance(node, id).is_none() {
            return;
        }
        let checks = self.catalog.checks_of(node, id).cloned();
        for check in checks.collect::<Vec<_>>() {
            self.delete_check(node, &check.check_id);
        }
        if let Some(known) = self.catalog.instance(node, id) {
            let (node, id) = (known.node.clone(), known.id.clone());
            self.change(CatalogChange::DeleteService { node, id });
        }
    }

    fn delete_check(&mut self, node: &str, check_id: &str) {
        if let Some(known) = self.catalog.check(node, check_id) {
            let (node, check_id) = (known.node.clone(), known.check_id.clone());
            self.change(CatalogChange::DeleteCheck { node, check_id });
        }
    }

    fn change(&mut self, change: CatalogChange) {
        self.catalog.apply(&change, &mut Vec::new());
        self.changes.push(change);
    }
}
