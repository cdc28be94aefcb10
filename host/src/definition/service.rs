//! `service { … }` with its proxy, its upstreams and its sidecar.

use chancery_core::{
    CheckDefinition, Expose, ExposePath, MeshGatewayMode, ProxyConfig, Registration,
    ServiceAddress, ServiceKind, Upstream, UpstreamKind, WeightsDefinition,
};

use super::{ServiceDefinition, read_check};
use crate::config::Reader;
use crate::config::hcl::quoted;

/// Reads a service.
pub(crate) fn read_service(reader: &mut Reader<'_, '_>) -> ServiceDefinition {
    ServiceDefinition {
        token: reader.secret("token"),
        registration: read_registration(reader),
    }
}

/// Reads an instance in the catalog's form: its service's name is called `Service`, and it has no
/// checks of its own. What the catalog decides is read and dropped.
pub(super) fn read_instance(reader: &mut Reader<'_, '_>) -> Registration {
    let mut service = read_common(reader, "service");
    reader.block("connect", |connect| {
        service.connect_native = connect.boolean("native").unwrap_or_default();
        connect.block("sidecar_service", |sidecar| {
            sidecar.secret("token");
            read_registration(sidecar);
        });
    });
    for dropped in ["create_index", "modify_index"] {
        reader.integer(dropped);
    }
    service
}

fn read_registration(reader: &mut Reader<'_, '_>) -> Registration {
    let mut service = read_common(reader, "name");
    service.check = reader.block("check", own_check);
    service.checks = reader.blocks("checks", own_check);
    reader.block("connect", |connect| {
        service.connect_native = connect.boolean("native").unwrap_or_default();
        service.sidecar = connect
            .block("sidecar_service", |sidecar| {
                // A sidecar registers with its service's token, whatever it says.
                sidecar.secret("token");
                read_registration(sidecar)
            })
            .map(Box::new);
    });
    service
}

fn read_common(reader: &mut Reader<'_, '_>, name_key: &'static str) -> Registration {
    let mut service = Registration {
        kind: kind(reader),
        id: reader.text("id").unwrap_or_default(),
        name: reader.text(name_key).unwrap_or_default(),
        tags: reader.texts("tags").unwrap_or_default(),
        address: reader.text("address").unwrap_or_default(),
        meta: reader.text_map("meta").unwrap_or_default(),
        port: port(reader, "port"),
        ..Registration::default()
    };
    service.tagged_addresses = reader
        .block_map("tagged_addresses", |address| ServiceAddress {
            address: address.text("address").unwrap_or_default(),
            port: port(address, "port"),
        })
        .unwrap_or_default();
    service.weights = reader.block("weights", |weights| WeightsDefinition {
        passing: weights.integer("passing").unwrap_or_default(),
        warning: weights.integer("warning").unwrap_or_default(),
    });
    service.enable_tag_override = reader.boolean("enable_tag_override").unwrap_or_default();
    service.proxy = reader.block("proxy", proxy);
    service
}

/// A check inside a service; Consul's files may say there whose it is, which is known already.
fn own_check(reader: &mut Reader<'_, '_>) -> CheckDefinition {
    reader.ignored(&["service_id", "token"]);
    read_check(reader)
}

fn proxy(reader: &mut Reader<'_, '_>) -> ProxyConfig {
    let mut proxy = ProxyConfig::new(reader.text("destination_service_name").unwrap_or_default());
    proxy.destination_service_id = reader.text("destination_service_id").unwrap_or_default();
    proxy.local_service_address = reader.text("local_service_address").unwrap_or_default();
    proxy.local_service_port = port(reader, "local_service_port");
    proxy.config = reader.anything("config").unwrap_or_default();
    proxy.upstreams = reader.blocks("upstreams", upstream);
    proxy.mesh_gateway = mesh_gateway(reader);
    proxy.expose = reader.block("expose", expose).unwrap_or_default();
    proxy
}

fn upstream(reader: &mut Reader<'_, '_>) -> Upstream {
    let name = reader.text("destination_name").unwrap_or_default();
    let mut upstream = Upstream::new(name, port(reader, "local_bind_port"));
    let kind = reader.text("destination_type").unwrap_or_default();
    match UpstreamKind::parse(&kind) {
        Ok(kind) => upstream.destination_type = kind,
        Err(_) => {
            let found = quoted(&kind);
            let reason = format!("found {found}, allowed are \"service\" and \"prepared_query\"");
            reader.refuse("destination_type", reason);
        }
    }
    upstream.destination_namespace = reader.text("destination_namespace").unwrap_or_default();
    upstream.datacenter = reader.text("datacenter").unwrap_or_default();
    upstream.local_bind_address = reader.text("local_bind_address").unwrap_or_default();
    upstream.config = reader.anything("config").unwrap_or_default();
    upstream.mesh_gateway = mesh_gateway(reader);
    upstream
}

fn expose(reader: &mut Reader<'_, '_>) -> Expose {
    Expose {
        checks: reader.boolean("checks").unwrap_or_default(),
        paths: reader.blocks("paths", |path| ExposePath {
            listener_port: port(path, "listener_port"),
            path: path.text("path").unwrap_or_default(),
            local_path_port: port(path, "local_path_port"),
            protocol: path.text("protocol").unwrap_or_default(),
        }),
    }
}

fn kind(reader: &mut Reader<'_, '_>) -> ServiceKind {
    let text = reader.text("kind").unwrap_or_default();
    ServiceKind::parse(&text).unwrap_or_else(|| {
        let found = quoted(&text);
        let allowed = "\"\", \"connect-proxy\", \"ingress-gateway\", \"mesh-gateway\", \"terminating-gateway\"";
        reader.refuse("kind", format!("found {found}, allowed are {allowed}"));
        ServiceKind::default()
    })
}

fn mesh_gateway(reader: &mut Reader<'_, '_>) -> MeshGatewayMode {
    reader
        .block("mesh_gateway", |gateway| {
            let text = gateway.text("mode").unwrap_or_default();
            MeshGatewayMode::parse(&text).unwrap_or_else(|| {
                let found = quoted(&text);
                let allowed = "\"\", \"local\", \"none\", \"remote\"";
                gateway.refuse("mode", format!("found {found}, allowed are {allowed}"));
                MeshGatewayMode::default()
            })
        })
        .unwrap_or_default()
}

/// A port; 0 means that none is set, and whether that may be is decided when it is checked.
fn port(reader: &mut Reader<'_, '_>, key: &'static str) -> u16 {
    let port = reader.within(key, 0..=65535, "a port");
    port.and_then(|port| u16::try_from(port).ok())
        .unwrap_or_default()
}
