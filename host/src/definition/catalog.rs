//! Bodies of `PUT /v1/catalog/register` and `deregister`.

use std::collections::BTreeMap;

use chancery_core::{Check, CheckKind, CheckStatus, CheckTarget, Registration};

use super::service::read_instance;
use super::{DecodeError, from_json};
use crate::config::Reader;
use crate::config::hcl::quoted;

/// What somebody says about a node, an instance on it and its checks, past any agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct CatalogRegistration {
    pub(crate) datacenter: String,
    pub(crate) id: String,
    pub(crate) node: String,
    pub(crate) address: String,
    pub(crate) tagged_addresses: BTreeMap<String, String>,
    pub(crate) node_meta: BTreeMap<String, String>,
    pub(crate) service: Option<Registration>,
    pub(crate) check: Option<Check>,
    pub(crate) checks: Vec<Check>,
    pub(crate) skip_node_update: bool,
}

/// What somebody wants forgotten: a check, an instance, or all of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct CatalogDeregistration {
    pub(crate) datacenter: String,
    pub(crate) node: String,
    pub(crate) service_id: String,
    pub(crate) check_id: String,
}

/// Reads the body of `PUT /v1/catalog/register`; `null` says nothing.
pub(crate) fn registration_from_json(body: &[u8]) -> Result<CatalogRegistration, DecodeError> {
    from_json(body, "structs.RegisterRequest", |reader| {
        reader.secret("token");
        CatalogRegistration {
            datacenter: text(reader, "datacenter"),
            id: text(reader, "id"),
            node: text(reader, "node"),
            address: text(reader, "address"),
            tagged_addresses: reader.text_map("tagged_addresses").unwrap_or_default(),
            node_meta: reader.text_map("node_meta").unwrap_or_default(),
            service: reader.block("service", read_instance),
            check: reader.block("check", check),
            checks: reader.blocks("checks", check),
            skip_node_update: reader.boolean("skip_node_update").unwrap_or_default(),
        }
    })
}

/// Reads the body of `PUT /v1/catalog/deregister`; `null` says nothing.
pub(crate) fn deregistration_from_json(body: &[u8]) -> Result<CatalogDeregistration, DecodeError> {
    const GO_TYPE: &str = "struct { Address string; *structs.Alias }";
    from_json(body, GO_TYPE, |reader| {
        reader.secret("token");
        reader.text("address");
        CatalogDeregistration {
            datacenter: text(reader, "datacenter"),
            node: text(reader, "node"),
            service_id: text(reader, "service_id"),
            check_id: text(reader, "check_id"),
        }
    })
}

fn check(reader: &mut Reader<'_, '_>) -> Check {
    let (node, name) = (text(reader, "node"), text(reader, "name"));
    let mut check = Check::new(
        node,
        text(reader, "check_id"),
        name.as_str(),
        status(reader),
    );
    if check.check_id.is_empty() {
        check.check_id = name;
    }
    check.notes = text(reader, "notes");
    check.output = text(reader, "output");
    check.service_id = text(reader, "service_id");
    check.kind = CheckKind::parse(&text(reader, "type"));
    check.target = reader
        .block("definition", target)
        .filter(|target| *target != CheckTarget::default())
        .map(Box::new);
    if let (CheckKind::Unspecified, Some(target)) = (check.kind, &check.target) {
        check.kind = target.kind();
    }
    // The catalog knows these itself.
    reader.text("service_name");
    reader.texts("service_tags");
    for dropped in ["create_index", "modify_index"] {
        reader.integer(dropped);
    }
    check
}

fn status(reader: &mut Reader<'_, '_>) -> CheckStatus {
    let said = text(reader, "status");
    if said.is_empty() {
        return CheckStatus::Critical;
    }
    CheckStatus::parse(&said).unwrap_or_else(|| {
        let found = quoted(&said);
        let reason =
            format!("found {found}, allowed are \"passing\", \"warning\" and \"critical\"");
        reader.refuse("status", reason);
        CheckStatus::Critical
    })
}

fn target(reader: &mut Reader<'_, '_>) -> CheckTarget {
    let mut duration = |key: &'static str, also: &'static str| {
        let exact = reader.duration(also);
        reader.duration(key).or(exact).unwrap_or_default()
    };
    let interval = duration("interval", "interval_duration");
    let timeout = duration("timeout", "timeout_duration");
    let deregister_critical_service_after = duration(
        "deregister_critical_service_after",
        "deregister_critical_service_after_duration",
    );
    CheckTarget {
        http: text(reader, "http"),
        header: reader.texts_map("header").unwrap_or_default(),
        method: text(reader, "method"),
        body: text(reader, "body"),
        tls_skip_verify: reader.boolean("tls_skip_verify").unwrap_or_default(),
        tcp: text(reader, "tcp"),
        interval,
        timeout,
        deregister_critical_service_after,
    }
}

fn text(reader: &mut Reader<'_, '_>, key: &'static str) -> String {
    reader.text(key).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registration_is_read_with_its_service_and_checks() {
        let read = registration_from_json(
            br#"{"node":"ext1","Address":"10.0.0.1","Service":{"Service":"redis","Port":1},
                "Checks":[{"Name":"c5","Status":"warning","ServiceID":"redis",
                "Definition":{"TCP":"localhost:8888","Interval":"5s"}}]}"#,
        )
        .unwrap();
        assert_eq!(
            (read.node.as_str(), read.address.as_str()),
            ("ext1", "10.0.0.1")
        );
        assert_eq!(read.service.unwrap().name, "redis");
        let [check] = read.checks.try_into().unwrap();
        assert_eq!(
            (check.check_id.as_str(), check.kind),
            ("c5", CheckKind::Tcp)
        );
        assert_eq!(check.target.unwrap().interval.to_string(), "5s");
    }

    #[test]
    fn what_cannot_be_stored_or_is_unknown_is_refused() {
        for body in [
            r#"{"Bogus":1}"#,
            r#"{"Node":5}"#,
            r#"{"Service":5}"#,
            r#"{"Service":{"Name":"x"}}"#,
            r#"{"Check":{"Interval":"5s"}}"#,
            r#"{"Check":{"Status":"bogus"}}"#,
            r#"{"Service":{"Kind":"bogus"}}"#,
            "[]",
            "",
        ] {
            assert!(registration_from_json(body.as_bytes()).is_err(), "{body}");
        }
        assert!(registration_from_json(b"null").is_ok());
        assert!(deregistration_from_json(b"{\"node\":\"x\",\"serviceid\":\"y\"}").is_ok());
        assert!(deregistration_from_json(b"{\"Name\":\"x\"}").is_err());
    }
}
