//! All layers to one configuration: defaults, and the rules that several settings share.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chancery_core::{Datacenter, NodeName};

use super::layer::{Layer, Scalars, Setting};
use super::load::Sources;
use super::names::HttpAddress;
use super::report::{Origin, Remark, Report};
use super::{
    CaConfig, CaSettings, Config, ConnectSettings, HttpSettings, Limits, LogSettings, NodeSettings,
    connect, names,
};
use crate::telemetry::LogLevel;

pub(super) fn resolve(
    layers: Layer,
    sources: &Sources,
    mut report: Report,
) -> Result<(Config, Vec<Remark>), Report> {
    let scalars = &layers.scalars;
    check_server(scalars, &mut report);
    check_safety(scalars, sources, &mut report);
    check_storage(scalars, sources, &mut report);
    check_sidecar_ports(scalars, &mut report);
    check_provider(scalars, &mut report);
    let name = node_name(scalars, sources, &mut report);
    let datacenter = datacenter(scalars, &mut report);
    let limits = limits(&layers, &mut report);
    let (Some(name), Some(datacenter), true) = (name, datacenter, report.is_good()) else {
        return Err(report);
    };
    let http = http(&layers.scalars);
    let Layer {
        scalars,
        node_meta,
        services,
        ..
    } = layers;
    let bind_address = scalars
        .bind_addr
        .map_or_else(|| default_bind(sources.dev), value);
    let advertise_address = scalars
        .advertise_addr
        .map(value)
        .or_else(|| (!bind_address.is_unspecified()).then_some(bind_address));
    let config = Config {
        dev: sources.dev,
        data_dir: scalars.data_dir.map(value),
        plugin_dir: scalars.plugin_dir.map(value),
        seal_key_file: scalars.seal_key_file.map(value),
        datacenter,
        node: NodeSettings {
            name,
            id: scalars.node_id.map(value),
            meta: node_meta,
            bind_address,
            advertise_address,
        },
        http,
        connect: ConnectSettings {
            enabled: scalars.connect_enabled.is_none_or(value),
            ca: CaSettings {
                provider: scalars
                    .ca_provider
                    .map_or_else(|| CaSettings::default().provider, value),
                config: scalars.ca_config.map(value).unwrap_or_default(),
            },
        },
        default_intention_policy: scalars
            .default_intention_policy
            .map(value)
            .unwrap_or_default(),
        services: services.into_iter().map(value).collect(),
        sidecar_ports: scalars.sidecar_min_port.map_or(SIDECAR_MIN, value)
            ..=scalars.sidecar_max_port.map_or(SIDECAR_MAX, value),
        log: LogSettings {
            level: scalars
                .log_level
                .map_or_else(|| default_level(sources.dev), value),
            json: scalars.log_json.is_some_and(value),
        },
        limits,
        enable_debug: scalars.enable_debug.map_or(sources.dev, value),
    };
    Ok((config, report.into_warnings()))
}

/// Servers alone, and one of them: what is not so yet is refused rather than half done.
fn check_server(scalars: &Scalars, report: &mut Report) {
    if let Some(server) = said(&scalars.server, |server| !*server) {
        let text = "server: found false, this version runs servers only: leave it out or say true";
        report.mistake(server.origin.clone(), text);
    }
    if let Some(expected) = said(&scalars.bootstrap_expect, |expected| *expected > 1) {
        let found = expected.value;
        let text = format!("bootstrap_expect: found {found}, this version runs one server: say 1");
        report.mistake(expected.origin.clone(), text);
    }
    if said(&scalars.bootstrap, |bootstrap| *bootstrap).is_some()
        && let Some(expected) = said(&scalars.bootstrap_expect, |expected| *expected > 0)
    {
        let text = "bootstrap_expect: 'bootstrap = true' and 'bootstrap_expect > 0' are mutually exclusive";
        report.mistake(expected.origin.clone(), text);
    }
}

/// Nothing may look safer than it is.
fn check_safety(scalars: &Scalars, sources: &Sources, report: &mut Report) {
    if let Some(acl) = said(&scalars.acl_enabled, |enabled| *enabled) {
        let text = "acl.enabled: found true, this version has no access control lists and would answer everybody: say false or leave acl out";
        report.mistake(acl.origin.clone(), text);
    }
    if !sources.dev || sources.allow_remote {
        return;
    }
    let open = |addresses: Vec<IpAddr>| addresses.into_iter().find(|ip| !is_loopback(*ip));
    let client = scalars.client_addr.as_ref();
    let client = client.map(|setting| (&setting.origin, open(setting.value.clone())));
    let http = scalars.addresses_http.as_ref();
    let http = http.map(|setting| (&setting.origin, open(ips(&setting.value))));
    for (key, setting) in [("client_addr", client), ("addresses.http", http)] {
        if let Some((origin, Some(found))) = setting {
            let text = format!(
                "{key}: found {found}, in dev mode anybody who reaches the API controls the mesh: allowed are loopback addresses, or give --i-know"
            );
            report.mistake(origin.clone(), text);
        }
    }
}

fn check_storage(scalars: &Scalars, sources: &Sources, report: &mut Report) {
    if scalars.data_dir.is_none() && !sources.dev && !report.is_incomplete() {
        let text = "data_dir is not set: name a folder for the state, or give --dev to keep everything in memory";
        report.mistake(Origin::Default, text);
    }
}

/// What only the provider can say, once it is known which one it is.
fn check_provider(scalars: &Scalars, report: &mut Report) {
    let (provider, config) = (&scalars.ca_provider, &scalars.ca_config);
    let name = provider
        .as_ref()
        .map_or(connect::BUILT_IN, |setting| setting.value.as_str());
    let none = CaConfig::default();
    let options = config.as_ref().map_or(&none, |setting| &setting.value);
    let origin = config
        .as_ref()
        .map(|setting| &setting.origin)
        .or_else(|| provider.as_ref().map(|setting| &setting.origin));
    if let (Some(origin), Some(text)) = (origin, connect::provider_problem(name, options)) {
        report.mistake(origin.clone(), text);
    }
}

fn check_sidecar_ports(scalars: &Scalars, report: &mut Report) {
    let least = scalars.sidecar_min_port.as_ref();
    let most = scalars.sidecar_max_port.as_ref();
    let (from, to) = (
        least.map_or(SIDECAR_MIN, |setting| setting.value),
        most.map_or(SIDECAR_MAX, |setting| setting.value),
    );
    if from > to
        && let Some(setting) = most.or(least)
    {
        let text = format!("ports: sidecar_min_port {from} is above sidecar_max_port {to}");
        report.mistake(setting.origin.clone(), text);
    }
}

fn node_name(scalars: &Scalars, sources: &Sources, report: &mut Report) -> Option<NodeName> {
    if let Some(setting) = &scalars.node_name {
        return Some(setting.value.clone());
    }
    match names::parse_node_name(&sources.hostname) {
        Ok(name) => Some(name),
        Err(reason) => {
            let text = format!("node_name is not set and the machine's name will not do: {reason}");
            report.mistake(Origin::Default, text);
            None
        }
    }
}

fn datacenter(scalars: &Scalars, report: &mut Report) -> Option<Datacenter> {
    let datacenter = match &scalars.datacenter {
        Some(setting) => setting.value.clone(),
        None => Datacenter::parse(DATACENTER).ok()?,
    };
    if let Some(primary) = said(&scalars.primary_datacenter, |primary| {
        *primary != datacenter
    }) {
        let text = format!(
            "primary_datacenter: found {}, this version has no secondary datacenters: allowed is {datacenter}",
            primary.value
        );
        report.mistake(primary.origin.clone(), text);
    }
    Some(datacenter)
}

fn limits(layers: &Layer, report: &mut Report) -> Limits {
    let limits = Limits::resolve(&layers.limits);
    if limits.default_query_time > limits.max_query_time {
        let said = layers.limits.default_query_time.as_ref();
        let said = said.or(layers.limits.max_query_time.as_ref());
        let origin = said.map_or(Origin::Default, |setting| setting.origin.clone());
        let text = format!(
            "default_query_time {:?} is longer than max_query_time {:?}",
            limits.default_query_time, limits.max_query_time
        );
        report.mistake(origin, text);
    }
    limits
}

fn http(scalars: &Scalars) -> HttpSettings {
    let said = scalars.addresses_http.as_ref();
    let addresses = match (said, &scalars.client_addr) {
        (Some(said), _) => ips(&said.value),
        (None, Some(said)) => said.value.clone(),
        (None, None) => vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
    };
    let sockets = said.into_iter().flat_map(|said| &said.value);
    let sockets = sockets.filter_map(|address| match address {
        HttpAddress::Socket(path) => Some(path.clone()),
        HttpAddress::Ip(_) => None,
    });
    let port = scalars
        .http_port
        .as_ref()
        .map_or(Some(HTTP_PORT), |setting| setting.value);
    let listeners = port.into_iter().flat_map(|port| {
        addresses
            .iter()
            .map(move |address| SocketAddr::new(*address, port))
    });
    HttpSettings {
        listeners: listeners.collect(),
        sockets: sockets.collect(),
        socket_mode: scalars
            .socket_mode
            .as_ref()
            .map_or(SOCKET_MODE, |setting| setting.value),
        allowed_hosts: scalars
            .allowed_hosts
            .as_ref()
            .map(|setting| setting.value.clone())
            .unwrap_or_default(),
    }
}

fn ips(addresses: &[HttpAddress]) -> Vec<IpAddr> {
    let ip = |address: &HttpAddress| match address {
        HttpAddress::Ip(address) => Some(*address),
        HttpAddress::Socket(_) => None,
    };
    addresses.iter().filter_map(ip).collect()
}

fn said<T>(setting: &Option<Setting<T>>, holds: impl FnOnce(&T) -> bool) -> Option<&Setting<T>> {
    setting.as_ref().filter(|setting| holds(&setting.value))
}

fn value<T>(setting: Setting<T>) -> T {
    setting.value
}

/// Also for an IPv4 address inside IPv6.
fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

const fn default_bind(dev: bool) -> IpAddr {
    IpAddr::V4(if dev {
        Ipv4Addr::LOCALHOST
    } else {
        Ipv4Addr::UNSPECIFIED
    })
}

const fn default_level(dev: bool) -> LogLevel {
    if dev { LogLevel::Debug } else { LogLevel::Info }
}

const DATACENTER: &str = "dc1";
const HTTP_PORT: u16 = 8500;
/// Nobody but the agent's own user: who reaches the API controls the mesh.
const SOCKET_MODE: u32 = 0o600;
const SIDECAR_MIN: u16 = 21000;
const SIDECAR_MAX: u16 = 21255;
