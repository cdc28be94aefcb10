//! The API's JSON of a definition, as Consul's own client writes it: nothing empty is sent.

use chancery_core::{
    CheckDefinition, Expose, GoDuration, ProxyConfig, Registration, ServiceKind, Upstream,
    UpstreamKind,
};
use serde_json::{Map, Value, json};

use super::ServiceDefinition;

/// The body of `PUT /v1/agent/service/register` for a definition. It holds the token.
#[must_use]
pub fn to_json(definition: &ServiceDefinition) -> Value {
    let mut body = registration(&definition.registration);
    if let Some(token) = &definition.token {
        put(
            &mut body,
            "Token",
            String::from_utf8_lossy(token.expose()).into_owned(),
        );
    }
    Value::Object(body)
}

/// The CamelCase name of a key, with Go's upper-case initials: `tls_skip_verify` is
/// `TLSSkipVerify`.
pub(super) fn go_name(key: &str) -> String {
    if !key.contains('_') && key.starts_with(|letter: char| letter.is_ascii_uppercase()) {
        return key.to_owned();
    }
    let word = |word: &str| match word {
        "id" | "http" | "tcp" | "ttl" | "grpc" | "tls" => word.to_ascii_uppercase(),
        _ => {
            let mut letters = word.chars();
            let first = letters.next().map(|letter| letter.to_ascii_uppercase());
            first.into_iter().chain(letters).collect()
        }
    };
    key.split('_').map(word).collect()
}

fn registration(service: &Registration) -> Map<String, Value> {
    let mut body = Map::new();
    if service.kind != ServiceKind::default() {
        put(&mut body, "Kind", service.kind.as_str());
    }
    put(&mut body, "ID", service.id.as_str());
    put(&mut body, "Name", service.name.as_str());
    put(&mut body, "Tags", json!(service.tags));
    put(&mut body, "Port", service.port);
    put(&mut body, "Address", service.address.as_str());
    let addresses: Map<String, Value> = service
        .tagged_addresses
        .iter()
        .map(|(tag, address)| {
            let entry = json!({"Address": address.address, "Port": address.port});
            (tag.clone(), entry)
        })
        .collect();
    put(&mut body, "TaggedAddresses", addresses);
    put(&mut body, "EnableTagOverride", service.enable_tag_override);
    put(&mut body, "Meta", json!(service.meta));
    if let Some(weights) = &service.weights {
        let entry = json!({"Passing": weights.passing, "Warning": weights.warning});
        put(&mut body, "Weights", entry);
    }
    if let Some(first) = &service.check {
        put(&mut body, "Check", check(first));
    }
    let checks: Vec<Value> = service.checks.iter().map(check).collect();
    put(&mut body, "Checks", checks);
    if let Some(settings) = &service.proxy {
        put(&mut body, "Proxy", proxy(settings));
    }
    let mut connect = Map::new();
    put(&mut connect, "Native", service.connect_native);
    if let Some(sidecar) = &service.sidecar {
        // An empty sidecar means something: all defaults.
        connect.insert("SidecarService".to_owned(), registration(sidecar).into());
    }
    put(&mut body, "Connect", connect);
    body
}

fn check(check: &CheckDefinition) -> Value {
    let mut body = Map::new();
    put(&mut body, "CheckID", check.check_id.as_str());
    put(&mut body, "Name", check.name.as_str());
    put(&mut body, "Status", check.status.as_str());
    put(&mut body, "Notes", check.notes.as_str());
    put(&mut body, "Args", json!(check.script_args));
    put(
        &mut body,
        "DockerContainerID",
        check.docker_container_id.as_str(),
    );
    put(&mut body, "GRPC", check.grpc.as_str());
    put(&mut body, "HTTP", check.http.as_str());
    put(&mut body, "Header", json!(check.header));
    put(&mut body, "Method", check.method.as_str());
    put(&mut body, "Body", check.body.as_str());
    put(&mut body, "TLSSkipVerify", check.tls_skip_verify);
    put(&mut body, "TCP", check.tcp.as_str());
    put_duration(&mut body, "Interval", check.interval);
    put_duration(&mut body, "Timeout", check.timeout);
    put_duration(&mut body, "TTL", check.ttl);
    put(&mut body, "AliasNode", check.alias_node.as_str());
    put(&mut body, "AliasService", check.alias_service.as_str());
    put(
        &mut body,
        "SuccessBeforePassing",
        check.success_before_passing,
    );
    put(
        &mut body,
        "FailuresBeforeCritical",
        check.failures_before_critical,
    );
    put_duration(
        &mut body,
        "DeregisterCriticalServiceAfter",
        check.deregister_critical_service_after,
    );
    put(&mut body, "OutputMaxSize", check.output_max_size);
    Value::Object(body)
}

fn proxy(proxy: &ProxyConfig) -> Map<String, Value> {
    let mut body = Map::new();
    put(
        &mut body,
        "DestinationServiceName",
        proxy.destination_service_name.as_str(),
    );
    put(
        &mut body,
        "DestinationServiceID",
        proxy.destination_service_id.as_str(),
    );
    put(
        &mut body,
        "LocalServiceAddress",
        proxy.local_service_address.as_str(),
    );
    put(&mut body, "LocalServicePort", proxy.local_service_port);
    put(&mut body, "Config", proxy.config.clone());
    let upstreams: Vec<Value> = proxy.upstreams.iter().map(upstream).collect();
    put(&mut body, "Upstreams", upstreams);
    put_mode(&mut body, proxy.mesh_gateway.as_str());
    put(&mut body, "Expose", expose(&proxy.expose));
    body
}

fn upstream(upstream: &Upstream) -> Value {
    let mut body = Map::new();
    if upstream.destination_type != UpstreamKind::default() {
        put(
            &mut body,
            "DestinationType",
            upstream.destination_type.as_str(),
        );
    }
    put(
        &mut body,
        "DestinationNamespace",
        upstream.destination_namespace.as_str(),
    );
    put(
        &mut body,
        "DestinationName",
        upstream.destination_name.as_str(),
    );
    put(&mut body, "Datacenter", upstream.datacenter.as_str());
    put(
        &mut body,
        "LocalBindAddress",
        upstream.local_bind_address.as_str(),
    );
    put(&mut body, "LocalBindPort", upstream.local_bind_port);
    put(&mut body, "Config", upstream.config.clone());
    put_mode(&mut body, upstream.mesh_gateway.as_str());
    Value::Object(body)
}

fn expose(expose: &Expose) -> Map<String, Value> {
    let mut body = Map::new();
    put(&mut body, "Checks", expose.checks);
    let paths: Vec<Value> = expose
        .paths
        .iter()
        .map(|path| {
            let mut body = Map::new();
            put(&mut body, "ListenerPort", path.listener_port);
            put(&mut body, "Path", path.path.as_str());
            put(&mut body, "LocalPathPort", path.local_path_port);
            put(&mut body, "Protocol", path.protocol.as_str());
            Value::Object(body)
        })
        .collect();
    put(&mut body, "Paths", paths);
    body
}

fn put_mode(body: &mut Map<String, Value>, mode: &str) {
    let mut gateway = Map::new();
    put(&mut gateway, "Mode", mode);
    put(body, "MeshGateway", gateway);
}

fn put_duration(body: &mut Map<String, Value>, key: &str, duration: GoDuration) {
    if duration != GoDuration::default() {
        put(body, key, duration.to_string());
    }
}

/// Adds a field unless its value is the empty one of its type.
fn put(body: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let value = value.into();
    let empty = match &value {
        Value::Null => true,
        Value::Bool(boolean) => !boolean,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    };
    if !empty {
        body.insert(key.to_owned(), value);
    }
}
