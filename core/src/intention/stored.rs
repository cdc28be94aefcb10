//! The stored form of an intention.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::id::IntentionId;
use super::model::{Action, Intention, IntentionNamespace, Remarks};
use crate::time::Timestamp;

/// An intention as a row holds it.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    id: Option<IntentionId>,
    #[serde(default)]
    description: String,
    source_ns: IntentionNamespace,
    source_name: String,
    destination_ns: IntentionNamespace,
    destination_name: String,
    action: Action,
    #[serde(default)]
    default_addr: String,
    #[serde(default)]
    default_port: i64,
    #[serde(default)]
    meta: BTreeMap<String, String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    create_index: u64,
    modify_index: u64,
}

impl From<Row> for Intention {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            source_namespace: row.source_ns,
            source_name: row.source_name.into(),
            destination_namespace: row.destination_ns,
            destination_name: row.destination_name.into(),
            action: row.action,
            remarks: Remarks {
                description: row.description,
                default_addr: row.default_addr,
                default_port: row.default_port,
                meta: row.meta,
            }
            .shared(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            create_index: row.create_index,
            modify_index: row.modify_index,
        }
    }
}

impl From<Intention> for Row {
    fn from(intention: Intention) -> Self {
        let remarks = intention
            .remarks
            .map(Arc::unwrap_or_clone)
            .unwrap_or_default();
        Self {
            id: intention.id,
            description: remarks.description,
            source_ns: intention.source_namespace,
            source_name: intention.source_name.as_ref().into(),
            destination_ns: intention.destination_namespace,
            destination_name: intention.destination_name.as_ref().into(),
            action: intention.action,
            default_addr: remarks.default_addr,
            default_port: remarks.default_port,
            meta: remarks.meta,
            created_at: intention.created_at,
            updated_at: intention.updated_at,
            create_index: intention.create_index,
            modify_index: intention.modify_index,
        }
    }
}
