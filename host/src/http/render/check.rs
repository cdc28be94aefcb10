//! A health check.

use chancery_core::Check;
use serde::Serialize;

/// A check, as agents, the catalog and health answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckBody<'a> {
    node: &'a str,
    #[serde(rename = "CheckID")]
    check_id: &'a str,
    name: &'a str,
    status: &'static str,
    notes: &'a str,
    output: &'a str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    #[serde(rename = "Type")]
    kind: &'static str,
    definition: Definition,
    create_index: u64,
    modify_index: u64,
}

/// What a check does stays with its agent: all fields are left out.
#[derive(Serialize)]
struct Definition {}

impl<'a> From<&'a Check> for CheckBody<'a> {
    fn from(check: &'a Check) -> Self {
        Self {
            node: &check.node,
            check_id: &check.check_id,
            name: &check.name,
            status: check.status.as_str(),
            notes: &check.notes,
            output: &check.output,
            service_id: &check.service_id,
            service_name: &check.service_name,
            service_tags: &check.service_tags,
            kind: check.kind.as_str(),
            definition: Definition {},
            create_index: check.create_index,
            modify_index: check.modify_index,
        }
    }
}
