//! The rules about what a definition of a service may say, each with Consul's text
//! (Consul 1.8: `NodeService.Validate`, `Upstream.Validate`, `ValidateWeights`, `validateMetadata`).

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{CheckDefinition, Registration, WeightsDefinition};
use super::error::{DefinitionErrors, MetaError, MetaPairError, RegistrationError, WeightsError};
use super::settings::LocalSettings;
use crate::catalog::{Expose, ProxyConfig, ServiceKind, Upstream, Weights};

const MAX_META_PAIRS: usize = 64;
const MAX_META_KEY: usize = 128;
const MAX_META_VALUE: usize = 512;
/// The one reserved key that its owner may set, and only on a mesh gateway.
const FEDERATION_KEY: &str = "consul-wan-federation";

/// Reads weights; 1 and 1 if nothing was said.
pub(super) fn weights(said: Option<WeightsDefinition>) -> Result<Weights, WeightsError> {
    let Some(WeightsDefinition { passing, warning }) = said else {
        return Ok(Weights::default());
    };
    if passing < 1 {
        return Err(WeightsError::Passing { found: passing });
    }
    if warning < 0 {
        return Err(WeightsError::Warning { found: warning });
    }
    let within = |found| u16::try_from(found).map_err(|_out| WeightsError::TooBig { found });
    Ok(Weights {
        passing: within(passing)?,
        warning: within(warning)?,
    })
}

/// Checks metadata: number of pairs, then each pair in the order of its key.
pub(super) fn meta(kind: ServiceKind, meta: &BTreeMap<String, String>) -> Result<(), MetaError> {
    if meta.len() > MAX_META_PAIRS {
        return Err(MetaError::TooMany {
            found: meta.len(),
            allowed: MAX_META_PAIRS,
        });
    }
    for (key, value) in meta {
        let may_be_reserved = kind == ServiceKind::MeshGateway && key == FEDERATION_KEY;
        if let Err(reason) = meta_pair(key, value, may_be_reserved) {
            return Err(MetaError::Pair {
                key: key.chars().take(MAX_META_KEY).collect(),
                value: value.chars().take(MAX_META_VALUE).collect(),
                reason,
            });
        }
    }
    Ok(())
}

fn meta_pair(key: &str, value: &str, may_be_reserved: bool) -> Result<(), MetaPairError> {
    if key.is_empty() {
        return Err(MetaPairError::Blank);
    }
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !key.bytes().all(plain) {
        return Err(MetaPairError::Characters);
    }
    if key.len() > MAX_META_KEY {
        return Err(MetaPairError::KeyTooLong {
            allowed: MAX_META_KEY,
        });
    }
    if key.starts_with("consul-") && !may_be_reserved {
        return Err(MetaPairError::Reserved);
    }
    if value.len() > MAX_META_VALUE {
        return Err(MetaPairError::ValueTooLong {
            allowed: MAX_META_VALUE,
        });
    }
    Ok(())
}

/// Whether nobody can be reached there, because it means every address to listen on.
pub(super) fn is_any_address(address: &str) -> bool {
    matches!(address, "0.0.0.0" | "::" | "[::]")
        || address
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_unspecified())
}

/// Our own bounds on how much one registration may say.
pub(super) fn limits(
    said: &Registration,
    settings: &LocalSettings,
) -> Result<(), RegistrationError> {
    let proxy = said.proxy.as_ref();
    let upstreams = proxy.map_or(&[][..], |proxy| &proxy.upstreams);
    let destination = proxy.map(|it| [&it.destination_service_name, &it.destination_service_id]);
    let names = [&said.id, &said.name, &said.address]
        .into_iter()
        .chain(&said.tags)
        .chain(destination.into_iter().flatten())
        .chain(upstreams.iter().map(|upstream| &upstream.destination_name))
        .chain(all_checks(said).flat_map(|check| [&check.check_id, &check.name]));
    let longest = names.map(String::len).max().unwrap_or_default();
    let checks = all_checks(said).count();
    let paths = proxy.map_or(0, |proxy| proxy.expose.paths.len());
    for (what, found, allowed) in [
        (
            "bytes of a name, id, address or tag",
            longest,
            settings.max_name,
        ),
        ("checks of a service", checks, settings.max_checks),
        ("tags of a service", said.tags.len(), settings.max_entries),
        (
            "tagged addresses of a service",
            said.tagged_addresses.len(),
            settings.max_entries,
        ),
        (
            "upstreams of a proxy",
            upstreams.len(),
            settings.max_entries,
        ),
        ("exposed paths of a proxy", paths, settings.max_entries),
    ] {
        if found > allowed {
            return Err(RegistrationError::Limit {
                what,
                found,
                allowed,
            });
        }
    }
    Ok(())
}

fn all_checks(said: &Registration) -> impl Iterator<Item = &CheckDefinition> {
    said.check.iter().chain(&said.checks)
}

/// The rules about proxies, gateways and sidecars.
pub(super) fn definition(said: &Registration) -> Option<DefinitionErrors> {
    let mut errors = Vec::new();
    let proxy = said.proxy.as_ref();
    if said.kind == ServiceKind::ConnectProxy {
        of_proxy(said, proxy, &mut errors);
    }
    if said.kind.is_gateway() {
        of_gateway(said, proxy, &mut errors);
    }
    if let Some(sidecar) = &said.sidecar {
        if !sidecar.id.is_empty() {
            errors.push(
                "A SidecarService cannot specify an ID as this is managed by the agent".to_owned(),
            );
        }
        if sidecar.sidecar.is_some() {
            errors.push("A SidecarService cannot have a nested SidecarService".to_owned());
        }
    }
    DefinitionErrors::of(errors)
}

fn of_proxy(said: &Registration, proxy: Option<&ProxyConfig>, errors: &mut Vec<String>) {
    let destination = proxy.map_or("", |proxy| &proxy.destination_service_name);
    if destination.trim().is_empty() {
        errors.push(
            "Proxy.DestinationServiceName must be non-empty for Connect proxy services".to_owned(),
        );
    }
    if destination == "*" {
        errors.push(
            "Proxy.DestinationServiceName must not be a wildcard for Connect proxy services"
                .to_owned(),
        );
    }
    if said.port == 0 {
        errors.push("Port must be set for a Connect proxy".to_owned());
    }
    if said.connect_native {
        errors.push("A Proxy cannot also be Connect Native, only typical services".to_owned());
    }
    if let Some(proxy) = proxy {
        of_upstreams(&proxy.upstreams, errors);
        of_expose(&proxy.expose, errors);
    }
}

fn of_upstreams(upstreams: &[Upstream], errors: &mut Vec<String>) {
    let mut keys = BTreeSet::new();
    let mut addresses = BTreeSet::new();
    for upstream in upstreams {
        let own = match upstream.destination_name.as_str() {
            "" => Some("upstream destination name cannot be empty"),
            "*" => Some("upstream destination name cannot be a wildcard"),
            _ if upstream.local_bind_port == 0 => Some("upstream local bind port cannot be zero"),
            _ => None,
        };
        if let Some(message) = own {
            errors.push(message.to_owned());
            continue;
        }
        let key = format!(
            "[type={:?}, name={:?}, namespace={:?}, datacenter={:?}]",
            upstream.destination_type.as_str(),
            upstream.destination_name,
            upstream.destination_namespace,
            upstream.datacenter
        );
        if keys.contains(&key) {
            errors.push(format!("upstreams cannot contain duplicates of {key}"));
            continue;
        }
        keys.insert(key);
        let address = host_and_port(upstream.bind_address(), upstream.local_bind_port);
        if addresses.contains(&address) {
            errors.push(format!(
                "upstreams cannot contain duplicates by local bind address and port; {address:?} is specified twice"
            ));
            continue;
        }
        addresses.insert(address);
    }
}

fn of_expose(expose: &Expose, errors: &mut Vec<String>) {
    let mut paths = BTreeSet::new();
    let mut ports = BTreeSet::new();
    for exposed in &expose.paths {
        if exposed.path.is_empty() {
            errors.push("expose.paths: empty path exposed".to_owned());
        }
        if !paths.insert(&exposed.path) {
            errors.push("expose.paths: duplicate paths exposed".to_owned());
        }
        if !ports.insert(exposed.listener_port) {
            errors.push("expose.paths: duplicate listener ports exposed".to_owned());
        }
        if exposed.listener_port == 0 {
            errors.push("expose.paths: invalid listener port: 0".to_owned());
        }
        let protocol = exposed.protocol.to_lowercase();
        if !matches!(protocol.as_str(), "" | "http" | "http2") {
            errors.push(format!(
                "protocol '{protocol}' not supported for path: {}, must be in: [http http2]",
                exposed.path
            ));
        }
    }
}

fn of_gateway(said: &Registration, proxy: Option<&ProxyConfig>, errors: &mut Vec<String>) {
    let kind = said.kind;
    if said.port == 0 && kind != ServiceKind::IngressGateway {
        errors.push(format!("Port must be non-zero for a {kind}"));
    }
    if said.sidecar.is_some() {
        errors.push(format!("A {kind} cannot have a sidecar service defined"));
    }
    let Some(proxy) = proxy else {
        return;
    };
    for (field, is_set) in [
        (
            "DestinationServiceName",
            !proxy.destination_service_name.is_empty(),
        ),
        (
            "DestinationServiceID",
            !proxy.destination_service_id.is_empty(),
        ),
        (
            "LocalServiceAddress",
            !proxy.local_service_address.is_empty(),
        ),
        ("LocalServicePort", proxy.local_service_port != 0),
        ("Upstreams", !proxy.upstreams.is_empty()),
    ] {
        if is_set {
            errors.push(format!(
                "The Proxy.{field} configuration is invalid for a {kind}"
            ));
        }
    }
}

/// `host:port`, with brackets around an IPv6 address as Go writes them.
pub(super) fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
