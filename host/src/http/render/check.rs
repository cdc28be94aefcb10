//! A health check.

use std::collections::BTreeMap;

use chancery_core::{Check, CheckTarget, GoDuration};
use serde::{Serialize, Serializer};

/// A check, as agents, the catalog and health answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CheckBody<'a, D = Definition<'a>> {
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
    service_tags: Option<&'a [String]>,
    #[serde(rename = "Type")]
    kind: &'static str,
    definition: D,
    create_index: u64,
    modify_index: u64,
}

/// What a check does, empty fields left out. Agents keep that to themselves: then all are.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Definition<'a> {
    #[serde(skip_serializing_if = "is_none", serialize_with = "as_text")]
    interval: GoDuration,
    #[serde(skip_serializing_if = "is_none", serialize_with = "as_text")]
    timeout: GoDuration,
    #[serde(skip_serializing_if = "is_none", serialize_with = "as_text")]
    deregister_critical_service_after: GoDuration,
    #[serde(rename = "HTTP", skip_serializing_if = "str::is_empty")]
    http: &'a str,
    #[serde(rename = "TLSSkipVerify", skip_serializing_if = "super::is_false")]
    tls_skip_verify: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    header: Option<&'a BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "str::is_empty")]
    method: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    body: &'a str,
    #[serde(rename = "TCP", skip_serializing_if = "str::is_empty")]
    tcp: &'a str,
}

/// The form of Consul's client library, in which its agent shows checks by service: every field
/// is there, and every one is empty.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct FullDefinition {
    interval: &'static str,
    timeout: &'static str,
    deregister_critical_service_after: &'static str,
    #[serde(rename = "HTTP")]
    http: &'static str,
    header: Option<()>,
    method: &'static str,
    body: &'static str,
    #[serde(rename = "TLSSkipVerify")]
    tls_skip_verify: bool,
    #[serde(rename = "TCP")]
    tcp: &'static str,
}

impl<'a> CheckBody<'a, FullDefinition> {
    /// As an agent shows it by service. Of what kind it is, is not said there, and no tags are
    /// null.
    pub(crate) fn by_service(check: &'a Check) -> Self {
        let definition = FullDefinition {
            interval: "0s",
            timeout: "0s",
            deregister_critical_service_after: "0s",
            http: "",
            header: None,
            method: "",
            body: "",
            tls_skip_verify: false,
            tcp: "",
        };
        Self {
            service_tags: Some(check.service_tags.as_slice()).filter(|tags| !tags.is_empty()),
            kind: "",
            create_index: 0,
            modify_index: 0,
            ..Self::with(check, definition)
        }
    }
}

impl<'a, D> CheckBody<'a, D> {
    fn with(check: &'a Check, definition: D) -> Self {
        Self {
            node: &check.node,
            check_id: &check.check_id,
            name: &check.name,
            status: check.status.as_str(),
            notes: &check.notes,
            output: &check.output,
            service_id: &check.service_id,
            service_name: &check.service_name,
            service_tags: Some(&check.service_tags),
            kind: check.kind.as_str(),
            definition,
            create_index: check.create_index,
            modify_index: check.modify_index,
        }
    }
}

impl<'a> CheckBody<'a> {
    /// As an agent shows its own, which have no indexes.
    pub(crate) fn of_agent(check: &'a Check) -> Self {
        Self {
            create_index: 0,
            modify_index: 0,
            ..Self::from(check)
        }
    }
}

impl<'a> From<&'a Check> for CheckBody<'a> {
    fn from(check: &'a Check) -> Self {
        let definition = check.target.as_deref().map(Definition::of);
        Self::with(check, definition.unwrap_or_default())
    }
}

impl<'a> Definition<'a> {
    fn of(target: &'a CheckTarget) -> Self {
        Self {
            interval: target.interval,
            timeout: target.timeout,
            deregister_critical_service_after: target.deregister_critical_service_after,
            http: &target.http,
            tls_skip_verify: target.tls_skip_verify,
            header: Some(&target.header).filter(|header| !header.is_empty()),
            method: &target.method,
            body: &target.body,
            tcp: &target.tcp,
        }
    }
}

fn is_none(duration: &GoDuration) -> bool {
    *duration == GoDuration::default()
}

fn as_text<S: Serializer>(duration: &GoDuration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(duration)
}
