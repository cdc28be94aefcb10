//! A node.

use std::collections::BTreeMap;

use chancery_core::{Node, NodeId};
use serde::Serialize;

/// A node, as lists of nodes and health answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct NodeBody<'a> {
    #[serde(rename = "ID")]
    id: NodeId,
    node: &'a str,
    address: &'a str,
    datacenter: &'a str,
    tagged_addresses: Option<&'a BTreeMap<String, String>>,
    meta: Option<&'a BTreeMap<String, String>>,
    create_index: u64,
    modify_index: u64,
}

impl<'a> NodeBody<'a> {
    pub(crate) fn of(node: &'a Node, datacenter: &'a str) -> Self {
        Self {
            id: node.id,
            node: &node.name,
            address: &node.address,
            datacenter,
            tagged_addresses: super::or_null(&node.tagged_addresses),
            meta: super::or_null(&node.meta),
            create_index: node.create_index,
            modify_index: node.modify_index,
        }
    }
}
