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
            CatalogChange::PutCheck(check) => self.put_check(Arc::clone(check), topics),
            CatalogChange::PutNode(node) => self.put_node(node.clone(), topics),
            CatalogChange::PutService(service) => {
                self.put_service(Arc::clone(service), topics);
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

    fn put_service(&mut self, service: Arc<ServiceInstance>, topics: &mut Vec<CatalogTopic>) {
        let key = self.service_key(&service.node, &service.id);
        let old = self.services.get(&key).cloned();
        let listed = |it: &ServiceInstance| (it.name.clone(), it.tags.clone());
        if old.as_deref().map(listed) != Some(listed(&service)) {
            topics.push(CatalogTopic::Services);
        }
        if let Some(old) = old {
            self.unindex_service(&old, &key);
            touch_instance(&old, topics);
        }
        let name = self.shared_name(&service.name, &key.id);
        topics.push(CatalogTopic::Service(name.clone()));
        self.by_name.insert((name, key.clone()));
        if let Some(destination) = service.connect_destination() {
            let destination = self.shared_name(destination, &key.id);
            topics.push(CatalogTopic::Connect(destination.clone()));
            self.by_destination.insert((destination, key.clone()));
        }
        topics.push(CatalogTopic::Node(key.node.clone()));
        self.services.insert(key, service);
    }

    fn put_check(&mut self, check: Arc<Check>, topics: &mut Vec<CatalogTopic>) {
        let owner = self.service_key(&check.node, &check.service_id);
        let key = RowKey {
            node: owner.node.clone(),
            id: check.check_id.as_str().into(),
        };
        self.delete_check(&key, topics);
        topics.push(CatalogTopic::Checks);
        self.touch_checked(&check, topics);
        self.by_instance.insert((owner, key.id.clone()));
        self.checks.insert(key, check);
    }

    /// The key of an instance, made of texts that are in memory already as far as there are.
    fn service_key(&self, node: &str, id: &str) -> RowKey {
        let key = RowKey::new(node, id);
        if let Some((known, _)) = self.services.get_key_value(&key) {
            return known.clone();
        }
        match self.nodes.get_key_value(&key.node) {
            Some((node, _)) => RowKey {
                node: node.clone(),
                id: key.id,
            },
            None => key,
        }
    }

    /// The name of a service as it is looked up, made of a text that is in memory already if
    /// there is one: `id`, or the name of another instance.
    fn shared_name(&self, name: &str, id: &Arc<str>) -> Arc<str> {
        let name = folded(name);
        if name == *id {
            return id.clone();
        }
        let first = (name.clone(), RowKey::first());
        match self.by_name.range(first..).next() {
            Some((known, _)) if *known == name => known.clone(),
            _ => name,
        }
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
