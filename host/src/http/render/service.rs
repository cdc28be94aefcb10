//! An instance of a service, in the three shapes that Consul has for it.

use std::collections::BTreeMap;

use chancery_core::{
    Expose, Node, NodeId, ProxyConfig, ServiceAddress, ServiceInstance, Upstream, Weights,
};
use serde::Serialize;
use serde_json::{Map, Value};

/// As its agent shows it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AgentServiceBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: &'a [String],
    meta: &'a BTreeMap<String, String>,
    port: u16,
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tagged_addresses: Option<BTreeMap<&'a str, AddressBody<'a>>>,
    weights: WeightsBody,
    enable_tag_override: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_hash: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    proxy: Option<ProxyBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connect: Option<ConnectBody>,
}

impl<'a> AgentServiceBody<'a> {
    /// In a list there is no hash.
    pub(crate) fn of(service: &'a ServiceInstance, content_hash: Option<&'a str>) -> Self {
        Self {
            kind: service.kind.as_str(),
            id: &service.id,
            service: &service.name,
            tags: &service.tags,
            meta: &service.meta,
            port: service.port,
            address: &service.address,
            tagged_addresses: addresses(service),
            weights: service.weights.into(),
            enable_tag_override: service.enable_tag_override,
            content_hash,
            proxy: service
                .proxy
                .as_deref()
                .map(|proxy| ProxyBody::of(proxy, Place::Agent)),
            connect: service
                .connect_native
                .then_some(ConnectBody { native: true }),
        }
    }
}

/// As health answers show it.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct HealthServiceBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    kind: &'static str,
    #[serde(rename = "ID")]
    id: &'a str,
    service: &'a str,
    tags: &'a [String],
    address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tagged_addresses: Option<BTreeMap<&'a str, AddressBody<'a>>>,
    meta: Option<&'a BTreeMap<String, String>>,
    port: u16,
    weights: WeightsBody,
    enable_tag_override: bool,
    proxy: ProxyBody<'a>,
    connect: ConnectBody,
    create_index: u64,
    modify_index: u64,
}

impl<'a> From<&'a ServiceInstance> for HealthServiceBody<'a> {
    fn from(service: &'a ServiceInstance) -> Self {
        Self {
            kind: service.kind.as_str(),
            id: &service.id,
            service: &service.name,
            tags: &service.tags,
            address: &service.address,
            tagged_addresses: addresses(service),
            meta: super::or_null(&service.meta),
            port: service.port,
            weights: service.weights.into(),
            enable_tag_override: service.enable_tag_override,
            proxy: catalog_proxy(service),
            connect: ConnectBody {
                native: service.connect_native,
            },
            create_index: service.create_index,
            modify_index: service.modify_index,
        }
    }
}

/// As the catalog shows it, together with its node.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct CatalogServiceBody<'a> {
    #[serde(rename = "ID")]
    id: NodeId,
    node: &'a str,
    address: &'a str,
    datacenter: &'a str,
    tagged_addresses: Option<&'a BTreeMap<String, String>>,
    node_meta: Option<&'a BTreeMap<String, String>>,
    service_kind: &'static str,
    #[serde(rename = "ServiceID")]
    service_id: &'a str,
    service_name: &'a str,
    service_tags: &'a [String],
    service_address: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_tagged_addresses: Option<BTreeMap<&'a str, AddressBody<'a>>>,
    service_weights: WeightsBody,
    service_meta: &'a BTreeMap<String, String>,
    service_port: u16,
    service_enable_tag_override: bool,
    service_proxy: ProxyBody<'a>,
    service_connect: ConnectBody,
    create_index: u64,
    modify_index: u64,
}

impl<'a> CatalogServiceBody<'a> {
    pub(crate) fn of(service: &'a ServiceInstance, node: &'a Node, datacenter: &'a str) -> Self {
        Self {
            id: node.id,
            node: &node.name,
            address: &node.address,
            datacenter,
            tagged_addresses: super::or_null(&node.tagged_addresses),
            node_meta: super::or_null(&node.meta),
            service_kind: service.kind.as_str(),
            service_id: &service.id,
            service_name: &service.name,
            service_tags: &service.tags,
            service_address: &service.address,
            service_tagged_addresses: addresses(service),
            service_weights: service.weights.into(),
            service_meta: &service.meta,
            service_port: service.port,
            service_enable_tag_override: service.enable_tag_override,
            service_proxy: catalog_proxy(service),
            service_connect: ConnectBody {
                native: service.connect_native,
            },
            create_index: service.create_index,
            modify_index: service.modify_index,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct AddressBody<'a> {
    address: &'a str,
    port: u16,
}

impl<'a> From<&'a ServiceAddress> for AddressBody<'a> {
    fn from(address: &'a ServiceAddress) -> Self {
        Self {
            address: &address.address,
            port: address.port,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct WeightsBody {
    passing: u16,
    warning: u16,
}

impl From<Weights> for WeightsBody {
    fn from(weights: Weights) -> Self {
        Self {
            passing: weights.passing,
            warning: weights.warning,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ConnectBody {
    #[serde(skip_serializing_if = "super::is_false")]
    native: bool,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ProxyBody<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    destination_service_name: &'a str,
    #[serde(rename = "DestinationServiceID", skip_serializing_if = "str::is_empty")]
    destination_service_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    local_service_address: &'a str,
    #[serde(skip_serializing_if = "super::is_no_port")]
    local_service_port: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<&'a Map<String, Value>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    upstreams: Vec<UpstreamBody<'a>>,
    mesh_gateway: MeshGatewayBody,
    expose: ExposeBody<'a>,
}

/// Where a proxy is shown: an upstream's empty fields are left out by agents only.
#[derive(Clone, Copy)]
enum Place {
    Agent,
    Catalog,
}

impl<'a> ProxyBody<'a> {
    fn of(proxy: &'a ProxyConfig, place: Place) -> Self {
        Self {
            destination_service_name: &proxy.destination_service_name,
            destination_service_id: &proxy.destination_service_id,
            local_service_address: &proxy.local_service_address,
            local_service_port: proxy.local_service_port,
            config: (!proxy.config.is_empty()).then_some(&proxy.config),
            upstreams: proxy
                .upstreams
                .iter()
                .map(|upstream| UpstreamBody::of(upstream, place))
                .collect(),
            mesh_gateway: MeshGatewayBody {
                mode: proxy.mesh_gateway.as_str(),
            },
            expose: (&proxy.expose).into(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct UpstreamBody<'a> {
    destination_type: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    destination_namespace: &'a str,
    destination_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    datacenter: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    local_bind_address: &'a str,
    local_bind_port: u16,
    /// Left out, or null, or an object.
    #[serde(skip_serializing_if = "Option::is_none")]
    config: Option<Option<&'a Map<String, Value>>>,
    mesh_gateway: MeshGatewayBody,
}

impl<'a> UpstreamBody<'a> {
    fn of(upstream: &'a Upstream, place: Place) -> Self {
        let datacenter = upstream.datacenter.as_str();
        let config = (!upstream.config.is_empty()).then_some(&upstream.config);
        let (datacenter, config) = match place {
            Place::Agent => (
                (!datacenter.is_empty()).then_some(datacenter),
                config.map(Some),
            ),
            Place::Catalog => (Some(datacenter), Some(config)),
        };
        Self {
            destination_type: upstream.destination_type.as_str(),
            destination_namespace: &upstream.destination_namespace,
            destination_name: &upstream.destination_name,
            datacenter,
            local_bind_address: &upstream.local_bind_address,
            local_bind_port: upstream.local_bind_port,
            config,
            mesh_gateway: MeshGatewayBody {
                mode: upstream.mesh_gateway.as_str(),
            },
        }
    }
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct MeshGatewayBody {
    #[serde(skip_serializing_if = "str::is_empty")]
    mode: &'static str,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExposeBody<'a> {
    #[serde(skip_serializing_if = "super::is_false")]
    checks: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    paths: Vec<ExposePathBody<'a>>,
}

impl<'a> From<&'a Expose> for ExposeBody<'a> {
    fn from(expose: &'a Expose) -> Self {
        let paths = expose.paths.iter().map(|path| ExposePathBody {
            listener_port: path.listener_port,
            path: &path.path,
            local_path_port: path.local_path_port,
            protocol: &path.protocol,
        });
        Self {
            checks: expose.checks,
            paths: paths.collect(),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct ExposePathBody<'a> {
    #[serde(skip_serializing_if = "super::is_no_port")]
    listener_port: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    path: &'a str,
    #[serde(skip_serializing_if = "super::is_no_port")]
    local_path_port: u16,
    #[serde(skip_serializing_if = "str::is_empty")]
    protocol: &'a str,
}

fn addresses(service: &ServiceInstance) -> Option<BTreeMap<&str, AddressBody<'_>>> {
    let addresses = super::or_null(&service.tagged_addresses)?;
    let bodies = addresses
        .iter()
        .map(|(tag, address)| (tag.as_str(), address.into()));
    Some(bodies.collect())
}

/// The catalog shows an empty proxy for services that are none.
fn catalog_proxy(service: &ServiceInstance) -> ProxyBody<'_> {
    service
        .proxy
        .as_ref()
        .map(|proxy| ProxyBody::of(proxy, Place::Catalog))
        .unwrap_or_default()
}
