//! An intention.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::{Intention, Timestamp};
use serde::Serialize;

/// Every field, none left out.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct IntentionBody<'a> {
    #[serde(rename = "ID")]
    id: String,
    description: &'a str,
    #[serde(rename = "SourceNS")]
    source_ns: &'static str,
    source_name: &'a str,
    #[serde(rename = "DestinationNS")]
    destination_ns: &'static str,
    destination_name: &'a str,
    source_type: &'static str,
    action: &'static str,
    default_addr: &'a str,
    default_port: i64,
    meta: &'a BTreeMap<String, String>,
    precedence: u8,
    created_at: Timestamp,
    updated_at: Timestamp,
    hash: String,
    create_index: u64,
    modify_index: u64,
}

impl<'a> From<&'a Intention> for IntentionBody<'a> {
    fn from(intention: &'a Intention) -> Self {
        Self {
            id: intention.id().map(|id| id.to_string()).unwrap_or_default(),
            description: intention.description(),
            source_ns: intention.source_namespace().as_str(),
            source_name: intention.source_name(),
            destination_ns: intention.destination_namespace().as_str(),
            destination_name: intention.destination_name(),
            source_type: "consul",
            action: intention.action().as_str(),
            default_addr: intention.default_addr(),
            default_port: intention.default_port(),
            meta: intention.meta(),
            precedence: intention.precedence(),
            created_at: intention.created_at(),
            updated_at: intention.updated_at(),
            hash: STANDARD.encode(intention.hash()),
            create_index: intention.create_index(),
            modify_index: intention.modify_index(),
        }
    }
}
