//! Changes as rows.

use crate::authority::AuthorityChange;
use crate::catalog::CatalogChange;
use crate::intention::IntentionChange;

use super::row::to_json;
use super::{Change, RowKind, State};

/// The row that a change is about: table, key, and the new value unless it is deleted.
pub(super) struct Target {
    pub(super) kind: RowKind,
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

impl Target {
    pub(super) fn of(change: &Change) -> Self {
        match change {
            Change::Authority(change) => of_authority(change),
            Change::Catalog(change) => of_catalog(change),
            Change::Intention(IntentionChange::Put(intention)) => Self {
                kind: RowKind::Intention,
                key: to_json(&intention.key()),
                value: Some(to_json(intention)),
            },
            Change::Intention(IntentionChange::Delete(key)) => Self {
                kind: RowKind::Intention,
                key: to_json(key),
                value: None,
            },
        }
    }
}

fn of_authority(change: &AuthorityChange) -> Target {
    let (kind, key, value) = match change {
        AuthorityChange::DeleteLease(issuer) => (RowKind::Lease, to_json(&[issuer]), None),
        AuthorityChange::DeleteProviderState(epoch) => {
            (RowKind::ProviderState, to_json(&[epoch]), None)
        }
        AuthorityChange::DeleteRoot(id) => (RowKind::CaRoot, to_json(&[id]), None),
        AuthorityChange::PutConfiguration(it) => (
            RowKind::CaConfiguration,
            to_json(&[(); 0]),
            Some(to_json(it)),
        ),
        AuthorityChange::PutLease(it) => {
            (RowKind::Lease, to_json(&[&it.issuer]), Some(to_json(it)))
        }
        AuthorityChange::PutProviderState(it) => (
            RowKind::ProviderState,
            to_json(&[it.epoch]),
            Some(to_json(it)),
        ),
        AuthorityChange::PutRecord(it) => {
            (RowKind::Authority, to_json(&[(); 0]), Some(to_json(it)))
        }
        AuthorityChange::PutRoot(it) => (RowKind::CaRoot, to_json(&[&it.id]), Some(to_json(it))),
    };
    Target { kind, key, value }
}

fn of_catalog(change: &CatalogChange) -> Target {
    let node_key = |node: &str| to_json(&[node.to_lowercase()]);
    let row_key = |node: &str, id: &str| to_json(&[node.to_lowercase().as_str(), id]);
    let (kind, key, value) = match change {
        CatalogChange::DeleteCheck { node, check_id } => {
            (RowKind::Check, row_key(node, check_id), None)
        }
        CatalogChange::DeleteNode { node } => (RowKind::Node, node_key(node), None),
        CatalogChange::DeleteService { node, id } => (RowKind::Service, row_key(node, id), None),
        CatalogChange::PutCheck(it) => (
            RowKind::Check,
            row_key(&it.node, &it.check_id),
            Some(to_json(it)),
        ),
        CatalogChange::PutNode(it) => (RowKind::Node, node_key(&it.name), Some(to_json(it))),
        CatalogChange::PutService(it) => (
            RowKind::Service,
            row_key(&it.node, &it.id),
            Some(to_json(it)),
        ),
    };
    Target { kind, key, value }
}

impl State {
    /// The row as it is before `change`, if it exists.
    pub(super) fn row_before(&self, change: &Change) -> Option<Vec<u8>> {
        match change {
            Change::Authority(change) => self.authority_row(change),
            Change::Catalog(change) => self.catalog_row(change),
            Change::Intention(change) => {
                let key = match change {
                    IntentionChange::Put(intention) => intention.key(),
                    IntentionChange::Delete(key) => key.clone(),
                };
                self.intentions.at(&key).map(to_json)
            }
        }
    }

    fn authority_row(&self, change: &AuthorityChange) -> Option<Vec<u8>> {
        let authority = &self.authority;
        match change {
            AuthorityChange::DeleteLease(issuer) => authority.lease(issuer).map(to_json),
            AuthorityChange::DeleteProviderState(epoch) => {
                authority.provider_state(*epoch).map(to_json)
            }
            AuthorityChange::DeleteRoot(id) => authority.root(id).map(to_json),
            AuthorityChange::PutConfiguration(_) => authority.configuration().map(to_json),
            AuthorityChange::PutLease(it) => authority.lease(&it.issuer).map(to_json),
            AuthorityChange::PutProviderState(it) => {
                authority.provider_state(it.epoch).map(to_json)
            }
            AuthorityChange::PutRecord(_) => authority.record().map(to_json),
            AuthorityChange::PutRoot(it) => authority.root(&it.id).map(to_json),
        }
    }

    fn catalog_row(&self, change: &CatalogChange) -> Option<Vec<u8>> {
        let catalog = &self.catalog;
        match change {
            CatalogChange::DeleteCheck { node, check_id } => {
                catalog.check(node, check_id).map(to_json)
            }
            CatalogChange::DeleteNode { node } => catalog.node(node).map(to_json),
            CatalogChange::DeleteService { node, id } => catalog.instance(node, id).map(to_json),
            CatalogChange::PutCheck(it) => catalog.check(&it.node, &it.check_id).map(to_json),
            CatalogChange::PutNode(it) => catalog.node(&it.name).map(to_json),
            CatalogChange::PutService(it) => catalog.instance(&it.node, &it.id).map(to_json),
        }
    }
}
