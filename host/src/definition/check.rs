//! `check { … }`.

use chancery_core::{CheckDefinition, CheckRegistration};

use super::StandaloneCheck;
use crate::config::Reader;

/// Reads a check inside a service.
pub(crate) fn read_check(reader: &mut Reader<'_, '_>) -> CheckDefinition {
    let mut check = CheckDefinition {
        // A file says `id`, the API says `CheckID`.
        check_id: reader
            .text("check_id")
            .or_else(|| reader.text("id"))
            .unwrap_or_default(),
        name: reader.text("name").unwrap_or_default(),
        status: reader.text("status").unwrap_or_default(),
        notes: reader.text("notes").unwrap_or_default(),
        ..CheckDefinition::default()
    };
    // Both spellings are always asked for, so that neither is an unknown key.
    reader.also_known("id");
    means(reader, &mut check);
    timing(reader, &mut check);
    check
}

pub(super) fn read_standalone(reader: &mut Reader<'_, '_>) -> StandaloneCheck {
    let service_id = reader.text("service_id").unwrap_or_default();
    let token = reader.secret("token");
    let definition = read_check(reader);
    StandaloneCheck {
        registration: CheckRegistration {
            definition,
            service_id,
        },
        token,
    }
}

fn means(reader: &mut Reader<'_, '_>, check: &mut CheckDefinition) {
    check.script_args = reader
        .texts("script_args")
        .or_else(|| reader.texts("args"))
        .unwrap_or_default();
    reader.also_known("args");
    check.docker_container_id = reader.text("docker_container_id").unwrap_or_default();
    check.grpc = reader.text("grpc").unwrap_or_default();
    check.http = reader.text("http").unwrap_or_default();
    check.header = reader.texts_map("header").unwrap_or_default();
    check.method = reader.text("method").unwrap_or_default();
    check.body = reader.text("body").unwrap_or_default();
    check.tls_skip_verify = reader.boolean("tls_skip_verify").unwrap_or_default();
    check.tcp = reader.text("tcp").unwrap_or_default();
    check.alias_node = reader.text("alias_node").unwrap_or_default();
    check.alias_service = reader.text("alias_service").unwrap_or_default();
    // Known to Consul, of no effect without the kinds of check that they are about.
    reader.text("shell");
    reader.boolean("grpc_use_tls");
    reader.text("proxy_http");
    reader.text("proxy_grpc");
}

fn timing(reader: &mut Reader<'_, '_>, check: &mut CheckDefinition) {
    check.interval = reader.duration("interval").unwrap_or_default();
    check.timeout = reader.duration("timeout").unwrap_or_default();
    check.ttl = reader.duration("ttl").unwrap_or_default();
    check.deregister_critical_service_after = reader
        .duration("deregister_critical_service_after")
        .unwrap_or_default();
    let probes = |reader: &mut Reader<'_, '_>, key| {
        let count = reader.within(key, 0..=i64::from(i32::MAX), "a number of probes");
        count
            .and_then(|count| u32::try_from(count).ok())
            .unwrap_or_default()
    };
    check.success_before_passing = probes(reader, "success_before_passing");
    check.failures_before_critical = probes(reader, "failures_before_critical");
    check.output_max_size = reader.integer("output_max_size").unwrap_or_default();
}
