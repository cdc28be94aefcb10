//! Doing what was decided: no rules, no errors, the same result at every replay.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::change::folded;
use super::{Catalog, CatalogChange, CatalogTopic, Check, Node, RowKey, ServiceInstance};

impl Catalog {
    /// Does one change and adds the topics it touched, some perhaps more than once.
    ///
    /// A deletion of what is not there does nothing and touches nothing.
    pub fn apply(&mut self, change: &CatalogChange, topics: &mut Vec<CatalogTopic>) {
        match change {
            CatalogChange::DeleteCheck { node, check_id } => {
                self.delete_check(&RowKey::new(node, check_id), topics);
            }
            CatalogChange::DeleteNode { node } => self.delete_node(&folded(node), topics),
            CatalogChange::DeleteService { node, id } => {
                self.delete_service(&RowKey::new(node, id), topics);
            }
            CatalogChange::PutCheck(check) => self.put_check(check.clone(), topics),
            CatalogChange::PutNode(node) => self.put_node(node.clone(), topics),
            CatalogChange::PutService(service) => {
                self.put_service(service.as_ref().clone(), topics);
            }
        }
    }

    fn put_node(&mut self, node: Node, topics: &mut Vec<CatalogTopic>) {
        let key = folded(&node.name);
        let id = node.id;
        if let Some(old) = self.nodes.insert(key.clone(), Arc::new(node)) {
            self.node_names.remove(&old.id);
        }
        if !id.is_nil() {
            self.node_names.insert(id, key.clone());
        }
        topics.push(CatalogTopic::Nodes);
        self.touch_node(key, topics);
    }

    fn put_service(&mut self, service: ServiceInstance, topics: &mut Vec<CatalogTopic>) {
        let key = RowKey::new(&service.node, &service.id);
        let old = self.services.get(&key).cloned();
        let listed = |it: &ServiceInstance| (it.name.clone(), it.tags.clone());
        if old.as_deref().map(listed) != Some(listed(&service)) {
            topics.push(CatalogTopic::Services);
        }
        if let Some(old) = old {
            self.unindex_service(&old, &key);
            touch_instance(&old, topics);
        }
        self.by_name.insert((folded(&service.name), key.clone()));
        if let Some(destination) = service.connect_destination() {
            self.by_destination
                .insert((folded(destination), key.clone()));
        }
        touch_instance(&service, topics);
        topics.push(CatalogTopic::Node(key.node.clone()));
        self.services.insert(key, Arc::new(service));
    }

    fn put_check(&mut self, check: Check, topics: &mut Vec<CatalogTopic>) {
        let key = RowKey::new(&check.node, &check.check_id);
        self.delete_check(&key, topics);
        topics.push(CatalogTopic::Checks);
        self.touch_checked(&check, topics);
        self.by_instance
            .insert((RowKey::new(&check.node, &check.service_id), key.id.clone()));
        self.checks.insert(key, Arc::new(check));
    }

    fn delete_node(&mut self, key: &Arc<str>, topics: &mut Vec<CatalogTopic>) {
        let Some(old) = self.nodes.remove(key) else {
            return;
        };
        if self.node_names.get(&old.id) == Some(key) {
            self.node_names.remove(&old.id);
        }
        topics.push(CatalogTopic::Nodes);
        self.touch_node(key.clone(), topics);
    }

    fn delete_service(&mut self, key: &RowKey, topics: &mut Vec<CatalogTopic>) {
        let Some(old) = self.services.remove(key) else {
            return;
        };
        self.unindex_service(&old, key);
        topics.push(CatalogTopic::Services);
        topics.push(CatalogTopic::Node(key.node.clone()));
        touch_instance(&old, topics);
    }

    fn delete_check(&mut self, key: &RowKey, topics: &mut Vec<CatalogTopic>) {
        let Some(old) = self.checks.remove(key) else {
            return;
        };
        topics.push(CatalogTopic::Checks);
        self.by_instance
            .remove(&(RowKey::new(&old.node, &old.service_id), key.id.clone()));
        self.touch_checked(&old, topics);
    }

    fn unindex_service(&mut self, old: &ServiceInstance, key: &RowKey) {
        self.by_name.remove(&(folded(&old.name), key.clone()));
        if let Some(destination) = old.connect_destination() {
            self.by_destination
                .remove(&(folded(destination), key.clone()));
        }
    }

    /// The node itself and, because answers about instances show their node and its checks,
    /// every service that it has an instance of.
    fn touch_node(&self, node: Arc<str>, topics: &mut Vec<CatalogTopic>) {
        let mut touched = BTreeSet::new();
        let mut of_one = Vec::new();
        for instance in self.services_of_node(&node) {
            touch_instance(instance, &mut of_one);
            touched.extend(of_one.drain(..));
        }
        topics.push(CatalogTopic::Node(node));
        topics.extend(touched);
    }

    fn touch_checked(&self, check: &Check, topics: &mut Vec<CatalogTopic>) {
        if check.is_of_node() {
            self.touch_node(folded(&check.node), topics);
            return;
        }
        topics.push(CatalogTopic::node(&check.node));
        if let Some(instance) = self.instance(&check.node, &check.service_id) {
            touch_instance(instance, topics);
        }
    }
}

fn touch_instance(instance: &ServiceInstance, topics: &mut Vec<CatalogTopic>) {
    topics.push(CatalogTopic::service(&instance.name));
    if let Some(destination) = instance.connect_destination() {
        topics.push(CatalogTopic::connect(destination));
    }
}
