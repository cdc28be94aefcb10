//! What a proxy is to do, read out of its registration or its flags.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::proxy::agent_api::{AgentProxy, AgentService, AgentUpstream};
use crate::proxy::limits::Limits;

/// Consul's default for `connect_timeout_ms` of an upstream.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Everything that one proxy does. Two settings are compared to find out what changed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
    /// The service that this proxy stands for: whose certificate it shows.
    pub service: String,
    /// The inbound side; none for a proxy that only calls others.
    pub public: Option<PublicSettings>,
    /// The outbound side, by local address.
    pub upstreams: BTreeMap<String, UpstreamSettings>,
    /// The bounds.
    pub limits: Limits,
}

/// Where peers connect to, and the application behind.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PublicSettings {
    /// `address:port` to listen on.
    pub bind: String,
    /// `address:port` of the application.
    pub local: String,
}

/// A service that the application calls through a local port.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UpstreamSettings {
    /// The service wanted.
    pub service: String,
    /// Its datacenter, if not the agent's.
    pub datacenter: Option<String>,
    /// How long all attempts to reach an endpoint may take together.
    pub connect_timeout: Duration,
}

/// Why settings cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The registration is that of something else.
    #[error("service {id} is not a Connect proxy: its kind is \"{kind}\"")]
    NoProxy {
        /// The id asked for.
        id: String,
        /// The kind found.
        kind: String,
    },
}

impl Settings {
    /// Settings for a service without a registration: flags only.
    #[must_use]
    pub fn for_service(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            public: None,
            upstreams: BTreeMap::new(),
            limits: Limits::default(),
        }
    }

    /// Adds the inbound side.
    #[must_use]
    pub fn with_public(mut self, bind: &str, local: &str) -> Self {
        self.public = Some(PublicSettings {
            bind: bind.to_owned(),
            local: local.to_owned(),
        });
        self
    }

    /// Adds an upstream at the local address `bind`.
    #[must_use]
    pub fn with_upstream(mut self, bind: &str, service: &str) -> Self {
        let upstream = UpstreamSettings {
            service: service.to_owned(),
            datacenter: None,
            connect_timeout: CONNECT_TIMEOUT,
        };
        self.upstreams.insert(bind.to_owned(), upstream);
        self
    }

    /// Reads a registration of kind `connect-proxy`.
    pub(crate) fn from_registration(service: &AgentService) -> Result<Self, SettingsError> {
        let proxy = match &service.proxy {
            Some(proxy) if service.kind == "connect-proxy" => proxy,
            _ => {
                return Err(SettingsError::NoProxy {
                    id: service.id.clone(),
                    kind: service.kind.clone(),
                });
            }
        };
        let config = proxy.config.clone().unwrap_or_default();
        let upstreams = proxy.upstreams.iter().flatten();
        Ok(Self {
            service: proxy.destination_service_name.clone(),
            public: public(service, proxy, &config),
            upstreams: upstreams.filter_map(upstream).collect(),
            limits: limits(&config),
        })
    }
}

fn public(
    service: &AgentService,
    proxy: &AgentProxy,
    config: &Map<String, Value>,
) -> Option<PublicSettings> {
    let port = number(config, "bind_port")
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or(service.port);
    let address = config
        .get("bind_address")
        .and_then(Value::as_str)
        .unwrap_or(&service.address);
    if proxy.local_service_port == 0 {
        return None;
    }
    Some(PublicSettings {
        bind: host_port(or(address, "0.0.0.0"), port),
        local: host_port(
            or(&proxy.local_service_address, "127.0.0.1"),
            proxy.local_service_port,
        ),
    })
}

fn upstream(found: &AgentUpstream) -> Option<(String, UpstreamSettings)> {
    if found.destination_type == "prepared_query" {
        tracing::error!(
            "upstream {:?}: prepared queries are not supported, only services are",
            found.destination_name
        );
        return None;
    }
    let config = found.config.clone().unwrap_or_default();
    let bind = host_port(
        or(&found.local_bind_address, "127.0.0.1"),
        found.local_bind_port,
    );
    let settings = UpstreamSettings {
        service: found.destination_name.clone(),
        datacenter: Some(found.datacenter.clone()).filter(|name| !name.is_empty()),
        connect_timeout: milliseconds(&config, "connect_timeout_ms").unwrap_or(CONNECT_TIMEOUT),
    };
    Some((bind, settings))
}

fn limits(config: &Map<String, Value>) -> Limits {
    let base = Limits::default();
    let count = |key: &str, default: usize| {
        number(config, key)
            .and_then(|count| usize::try_from(count).ok())
            .unwrap_or(default)
    };
    let span = |key: &str, default| milliseconds(config, key).unwrap_or(default);
    Limits {
        handshake_timeout: span("handshake_timeout_ms", base.handshake_timeout),
        handshake_bytes: base.handshake_bytes,
        handshakes: count("max_handshakes", base.handshakes),
        handshakes_per_source: count("max_handshakes_per_source", base.handshakes_per_source),
        connections: count("max_inbound_connections", base.connections),
        connections_per_source: count("max_connections_per_source", base.connections_per_source),
        local_connect_timeout: span("local_connect_timeout_ms", base.local_connect_timeout),
        idle_timeout: match milliseconds(config, "idle_timeout_ms") {
            Some(Duration::ZERO) => None,
            Some(set) => Some(set),
            None => base.idle_timeout,
        },
        connect_attempts: count("max_connect_attempts", base.connect_attempts).max(1),
        agent_silence: span("max_agent_silence_ms", base.agent_silence),
    }
}

/// A number of the free-form configuration, which may also be written as text or as `5.0`.
fn number(config: &Map<String, Value>, key: &str) -> Option<u64> {
    let read = match config.get(key)? {
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        _ => String::new(),
    };
    let whole = read.strip_suffix(".0").unwrap_or(&read).parse().ok();
    if whole.is_none() {
        tracing::error!("Proxy.Config.{key} is no whole number, its default holds");
    }
    whole
}

fn milliseconds(config: &Map<String, Value>, key: &str) -> Option<Duration> {
    number(config, key).map(Duration::from_millis)
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn host_port(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn registration(proxy: Value) -> AgentService {
        serde_json::from_value(json!({
            "Kind": "connect-proxy", "ID": "web-sidecar-proxy", "Service": "web-sidecar-proxy",
            "Address": "", "Port": 21000, "Proxy": proxy,
        }))
        .unwrap()
    }

    #[test]
    fn a_registration_says_where_to_listen_and_whom_to_call() {
        let read = Settings::from_registration(&registration(json!({
            "DestinationServiceName": "web", "DestinationServiceID": "web",
            "LocalServiceAddress": "127.0.0.1", "LocalServicePort": 8080,
            "Config": null,
            "Upstreams": [{"DestinationType": "service", "DestinationName": "db",
                           "LocalBindPort": 9191, "Config": {"connect_timeout_ms": 500}}],
        })))
        .unwrap();
        let mut expected = Settings::for_service("web")
            .with_public("0.0.0.0:21000", "127.0.0.1:8080")
            .with_upstream("127.0.0.1:9191", "db");
        for upstream in expected.upstreams.values_mut() {
            upstream.connect_timeout = Duration::from_millis(500);
        }
        assert_eq!(read, expected);
    }

    #[test]
    fn the_configuration_overrides_address_port_and_limits() {
        let read = Settings::from_registration(&registration(json!({
            "DestinationServiceName": "web", "LocalServicePort": 8080,
            "Config": {"bind_address": "::1", "bind_port": 4000.0, "idle_timeout_ms": 0,
                       "handshake_timeout_ms": "250", "max_inbound_connections": "many"},
        })))
        .unwrap();
        assert_eq!(
            read.public.map(|public| public.bind),
            Some("[::1]:4000".to_owned())
        );
        let limits = Limits {
            idle_timeout: None,
            handshake_timeout: Duration::from_millis(250),
            ..Limits::default()
        };
        assert_eq!(read.limits, limits);
    }

    #[test]
    fn a_plain_service_is_no_proxy() {
        let mut service = registration(json!({"LocalServicePort": 1}));
        service.kind = String::new();
        let refused = Settings::from_registration(&service).unwrap_err();
        let text = "service web-sidecar-proxy is not a Connect proxy: its kind is \"\"";
        assert_eq!(refused.to_string(), text);
    }
}
