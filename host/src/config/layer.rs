//! What one source says: a file, or one flag. Later layers win.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chancery_core::{Datacenter, NodeId, NodeName};

use super::connect::{self, CaConfig};
use super::hcl::{Object, Position};
use super::keys;
use super::names::{self, HttpAddress};
use super::problem::Problems;
use super::read::Reader;
use super::report::{Origin, Report};
use crate::definition::{self, ServiceDefinition};
use crate::telemetry::LogLevel;

/// A value and where it was said.
#[derive(Clone, Debug)]
pub(super) struct Setting<T> {
    pub(super) value: T,
    pub(super) origin: Origin,
}

/// Who speaks.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(Arc<str>),
    Flag(&'static str),
}

impl Source {
    /// The folder in which relative paths start: the one of the file, absolute if the current
    /// folder is known.
    fn folder(&self) -> PathBuf {
        let file = match self {
            Self::File(file) => Path::new(&**file),
            Self::Flag(_) => Path::new(""),
        };
        let folder = file.parent().unwrap_or(file);
        // The current folder in place of nothing, which is no path.
        let folder = Path::new(".").join(folder);
        std::path::absolute(&folder).unwrap_or(folder)
    }

    pub(super) fn at(&self, position: Position) -> Origin {
        match self {
            Self::File(path) => Origin::File {
                path: Arc::clone(path),
                position: Some(position),
            },
            Self::Flag(flag) => Origin::Flag(flag),
        }
    }
}

macro_rules! layers {
    ($(#[$documentation:meta] $name:ident { $($field:ident: $type:ty),* $(,)? })*) => { $(
        #[$documentation]
        #[derive(Debug, Default)]
        pub(super) struct $name { $(pub(super) $field: Option<Setting<$type>>,)* }

        impl $name {
            fn overlay(&mut self, later: Self) {
                $( if later.$field.is_some() { self.$field = later.$field; } )*
            }
        }
    )* };
}

layers! {
    /// The settings of which a later one replaces an earlier one.
    Scalars {
        acl_enabled: bool,
        addresses_http: Vec<HttpAddress>,
        advertise_addr: IpAddr,
        allowed_hosts: Vec<String>,
        bind_addr: IpAddr,
        bootstrap: bool,
        bootstrap_expect: i64,
        ca_config: CaConfig,
        ca_provider: String,
        client_addr: Vec<IpAddr>,
        connect_enabled: bool,
        data_dir: PathBuf,
        datacenter: Datacenter,
        default_intention_policy: super::DefaultIntentionPolicy,
        enable_debug: bool,
        http_port: Option<u16>,
        log_json: bool,
        log_level: LogLevel,
        node_id: NodeId,
        node_name: NodeName,
        plugin_dir: PathBuf,
        primary_datacenter: Datacenter,
        seal_key_file: PathBuf,
        server: bool,
        sidecar_max_port: u16,
        sidecar_min_port: u16,
        socket_mode: u32,
    }
    /// The settings behind [`Limits`](super::Limits).
    LimitsLayer {
        default_query_time: Duration,
        http_header_timeout: Duration,
        http_max_blocked_queries: u32,
        http_max_body_bytes: u32,
        http_max_connections: u32,
        http_max_conns_per_client: u32,
        http_max_header_bytes: u32,
        max_query_time: Duration,
    }
}

/// All that one source says.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) scalars: Scalars,
    pub(super) limits: LimitsLayer,
    pub(super) node_meta: BTreeMap<String, String>,
    pub(super) services: Vec<Setting<ServiceDefinition>>,
}

impl Layer {
    /// Reads what a source says; what is wrong with it goes into the report.
    pub(super) fn read(object: &Object, source: &Source, report: &mut Report) -> Self {
        let mut problems = Problems::default();
        let layer = Reader::new(object, &mut problems).read(|reader| top_level(reader, source));
        for problem in problems.sorted() {
            let origin = source.at(problem.position);
            if problem.is_warning() {
                report.warning(origin, problem.text());
            } else {
                report.mistake(origin, problem.text());
            }
        }
        layer
    }

    /// Lays a later source over this one: it wins, maps are joined, lists of services appended.
    pub(super) fn overlay(&mut self, later: Self) {
        self.scalars.overlay(later.scalars);
        self.limits.overlay(later.limits);
        self.node_meta.extend(later.node_meta);
        self.services.extend(later.services);
    }
}

/// Reads one key together with the place of its value.
fn setting<T>(
    reader: &mut Reader<'_, '_>,
    source: &Source,
    key: &'static str,
    read: impl FnOnce(&mut Reader<'_, '_>, &'static str) -> Option<T>,
) -> Option<Setting<T>> {
    let value = read(reader, key)?;
    let position = reader.position(key).unwrap_or(Position::START);
    Some(Setting {
        value,
        origin: source.at(position),
    })
}

fn top_level(reader: &mut Reader<'_, '_>, source: &Source) -> Layer {
    let mut layer = Layer::default();
    let scalars = &mut layer.scalars;
    network(reader, source, scalars);
    node(reader, source, scalars);
    storage(reader, source, scalars);
    reader.block("connect", |connect| {
        scalars.connect_enabled = setting(connect, source, "enabled", |r, key| r.boolean(key));
        scalars.ca_provider = setting(connect, source, "ca_provider", |r, _| connect::provider(r));
        scalars.ca_config = setting(connect, source, "ca_config", |r, _| {
            connect::ca_config(r, &source.folder())
        });
        connect.ignored(keys::CONNECT);
    });
    reader.block("acl", |acl| {
        scalars.acl_enabled = setting(acl, source, "enabled", |r, key| r.boolean(key));
        acl.ignored(keys::ACL);
    });
    scalars.default_intention_policy = setting(
        reader,
        source,
        "default_intention_policy",
        names::intention_policy,
    );
    scalars.enable_debug = setting(reader, source, "enable_debug", |r, key| r.boolean(key));
    scalars.log_level = setting(reader, source, "log_level", names::log_level);
    scalars.log_json = setting(reader, source, "log_json", |r, key| r.boolean(key));
    layer.limits = limits(reader, source);
    layer.node_meta = names::node_meta(reader);
    for key in ["service", "services"] {
        let position = reader.position(key).unwrap_or(Position::START);
        let services = reader.blocks(key, definition::read_service);
        layer
            .services
            .extend(services.into_iter().map(|value| Setting {
                value,
                origin: source.at(position),
            }));
    }
    reader.ignored(keys::TOP_LEVEL);
    layer
}

fn network(reader: &mut Reader<'_, '_>, source: &Source, scalars: &mut Scalars) {
    scalars.bind_addr = setting(reader, source, "bind_addr", names::address);
    scalars.advertise_addr = setting(reader, source, "advertise_addr", names::address);
    scalars.client_addr = setting(reader, source, "client_addr", names::addresses);
    reader.block("addresses", |addresses| {
        scalars.addresses_http = setting(addresses, source, "http", names::http_addresses);
        addresses.ignored(keys::ADDRESSES);
    });
    reader.block("unix_sockets", |sockets| {
        scalars.socket_mode = setting(sockets, source, "mode", names::mode);
        sockets.ignored(keys::UNIX_SOCKETS);
    });
    reader.block("ports", |ports| {
        scalars.http_port = setting(ports, source, "http", |r, key| r.listener_port(key));
        scalars.sidecar_min_port = setting(ports, source, "sidecar_min_port", names::port);
        scalars.sidecar_max_port = setting(ports, source, "sidecar_max_port", names::port);
        ports.ignored_ports(keys::PORTS);
        ports.ignored(keys::PORT_RANGES);
    });
    reader.block("http_config", |http| {
        scalars.allowed_hosts = setting(http, source, "allowed_hosts", names::hosts);
        http.ignored(keys::HTTP_CONFIG);
    });
}

fn node(reader: &mut Reader<'_, '_>, source: &Source, scalars: &mut Scalars) {
    scalars.node_name = setting(reader, source, "node_name", names::node_name);
    scalars.node_id = setting(reader, source, "node_id", names::node_id);
    scalars.datacenter = setting(reader, source, "datacenter", names::datacenter);
    scalars.primary_datacenter = setting(reader, source, "primary_datacenter", names::datacenter);
    scalars.server = setting(reader, source, "server", |r, key| r.boolean(key));
    scalars.bootstrap = setting(reader, source, "bootstrap", |r, key| r.boolean(key));
    scalars.bootstrap_expect = setting(reader, source, "bootstrap_expect", |r, key| {
        r.within(key, 0..=i64::from(u16::MAX), "a number of servers")
    });
}

fn storage(reader: &mut Reader<'_, '_>, source: &Source, scalars: &mut Scalars) {
    scalars.data_dir = setting(reader, source, "data_dir", names::path);
    scalars.plugin_dir = setting(reader, source, "plugin_dir", |reader, key| {
        names::path(reader, key).map(|path| source.folder().join(path))
    });
    scalars.seal_key_file = setting(reader, source, "seal_key_file", names::path);
}

fn limits(reader: &mut Reader<'_, '_>, source: &Source) -> LimitsLayer {
    let mut limits = LimitsLayer {
        default_query_time: setting(reader, source, "default_query_time", names::span),
        max_query_time: setting(reader, source, "max_query_time", names::span),
        ..LimitsLayer::default()
    };
    reader.block("limits", |block| {
        limits.http_header_timeout = setting(block, source, "http_header_timeout", names::span);
        limits.http_max_blocked_queries =
            setting(block, source, "http_max_blocked_queries", names::count);
        limits.http_max_body_bytes = setting(block, source, "http_max_body_bytes", names::count);
        limits.http_max_connections = setting(block, source, "http_max_connections", names::count);
        limits.http_max_conns_per_client = setting(
            block,
            source,
            "http_max_conns_per_client",
            names::count_or_none,
        );
        limits.http_max_header_bytes =
            setting(block, source, "http_max_header_bytes", names::header_bytes);
        block.ignored(keys::LIMITS);
    });
    limits
}
