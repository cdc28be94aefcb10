//! What is said, and the words in which it is refused (Consul's, to the byte).

use super::*;
use crate::catalog::{ExposePath, ProxyConfig, ServiceAddress, ServiceKind, Upstream};

fn text_of(said: Registration) -> (bool, String) {
    let refused = said.check("n1", &LocalSettings::default()).unwrap_err();
    (refused.is_request_error(), refused.to_string())
}

fn proxy(config: ProxyConfig) -> Registration {
    Registration {
        kind: ServiceKind::ConnectProxy,
        port: 1,
        proxy: Some(config),
        ..service("p")
    }
}

fn sidecar(said: Registration) -> Registration {
    Registration {
        sidecar: Some(Box::new(said)),
        ..service("x")
    }
}

fn weights(passing: i64, warning: i64) -> Registration {
    Registration {
        weights: Some(WeightsDefinition { passing, warning }),
        ..service("x")
    }
}

fn meta(key: &str, value: &str) -> Registration {
    Registration {
        meta: [(key.to_owned(), value.to_owned())].into(),
        ..service("x")
    }
}

fn address(address: &str) -> Registration {
    Registration {
        address: address.into(),
        ..service("x")
    }
}

fn upstreams(upstreams: Vec<Upstream>) -> Registration {
    proxy(ProxyConfig {
        upstreams,
        ..ProxyConfig::new("x")
    })
}

#[test]
fn every_mistake_has_the_text_of_consul() {
    let native_proxy = Registration {
        connect_native: true,
        ..proxy(ProxyConfig::new("x"))
    };
    let nothing = Registration {
        kind: ServiceKind::ConnectProxy,
        ..service("p")
    };
    let named_sidecar = Registration {
        id: "zz".into(),
        ..Registration::default()
    };
    let same_port = vec![Upstream::new("a", 1), Upstream::new("b", 1)];
    let gateway = Registration {
        kind: ServiceKind::MeshGateway,
        proxy: Some(ProxyConfig::new("x")),
        ..service("g")
    };
    for (said, text) in [
        (service(""), "Missing service name"),
        (address("0.0.0.0"), "Invalid service address"),
        (address("::"), "Invalid service address"),
        (
            weights(0, 1),
            "Invalid Weights: Passing must be greater than 0",
        ),
        (
            weights(1, -1),
            "Invalid Weights: Warning must be greater or equal than 0",
        ),
        (
            weights(65_536, 1),
            "Invalid Weights: DNS Weight must be between 0 and 65535",
        ),
        (
            weights(1, 70_000),
            "Invalid Weights: DNS Weight must be between 0 and 65535",
        ),
        (
            meta("a b", "c"),
            "Invalid Service Meta: Couldn't load metadata pair ('a b', 'c'): Key contains invalid characters",
        ),
        (
            meta("consul-x", "c"),
            "Invalid Service Meta: Couldn't load metadata pair ('consul-x', 'c'): Key prefix 'consul-' is reserved for internal use",
        ),
        (
            meta("", "c"),
            "Invalid Service Meta: Couldn't load metadata pair ('', 'c'): Key cannot be blank",
        ),
        (
            nothing,
            "2 errors occurred:\n\t* Proxy.DestinationServiceName must be non-empty for Connect proxy services\n\t* Port must be set for a Connect proxy\n\n",
        ),
        (
            native_proxy,
            "1 error occurred:\n\t* A Proxy cannot also be Connect Native, only typical services\n\n",
        ),
        (
            proxy(ProxyConfig::new("*")),
            "1 error occurred:\n\t* Proxy.DestinationServiceName must not be a wildcard for Connect proxy services\n\n",
        ),
        (
            upstreams(vec![Upstream::new("a", 1), Upstream::new("a", 1)]),
            "1 error occurred:\n\t* upstreams cannot contain duplicates of [type=\"service\", name=\"a\", namespace=\"\", datacenter=\"\"]\n\n",
        ),
        (
            upstreams(vec![Upstream::new("a", 0)]),
            "1 error occurred:\n\t* upstream local bind port cannot be zero\n\n",
        ),
        (
            upstreams(vec![Upstream::new("", 1)]),
            "1 error occurred:\n\t* upstream destination name cannot be empty\n\n",
        ),
        (
            upstreams(same_port),
            "1 error occurred:\n\t* upstreams cannot contain duplicates by local bind address and port; \"127.0.0.1:1\" is specified twice\n\n",
        ),
        (
            gateway,
            "2 errors occurred:\n\t* Port must be non-zero for a mesh-gateway\n\t* The Proxy.DestinationServiceName configuration is invalid for a mesh-gateway\n\n",
        ),
        (
            sidecar(named_sidecar),
            "1 error occurred:\n\t* A SidecarService cannot specify an ID as this is managed by the agent\n\n",
        ),
        (
            sidecar(sidecar(service(""))),
            "1 error occurred:\n\t* A SidecarService cannot have a nested SidecarService\n\n",
        ),
    ] {
        assert_eq!(text_of(said), (true, text.to_owned()));
    }
}

#[test]
fn every_mistake_in_a_check_has_the_text_of_consul() {
    let both = CheckDefinition {
        interval: go("1s"),
        ..ttl_check("", "1s")
    };
    let unnamed_state = CheckDefinition {
        status: "great".into(),
        ..ttl_check("", "10s")
    };
    let no_interval = CheckDefinition {
        interval: GoDuration::ZERO,
        ..tcp_check("", "1s")
    };
    let negative = CheckDefinition {
        ttl: go("-1s"),
        ..CheckDefinition::default()
    };
    let alias = CheckDefinition {
        alias_service: "y".into(),
        ..ttl_check("", "1s")
    };
    let alias_probe = CheckDefinition {
        alias_service: "y".into(),
        ..tcp_check("", "1s")
    };
    let script = CheckDefinition {
        script_args: vec!["true".into()],
        interval: go("1s"),
        ..CheckDefinition::default()
    };
    let script_text = "Invalid check: script checks are not run by this agent, only TTL, TCP, HTTP and alias checks of its own services";
    for (check, text) in [
        (
            CheckDefinition::default(),
            "Invalid check: TTL must be > 0 for TTL checks",
        ),
        (negative, "Invalid check: TTL must be > 0 for TTL checks"),
        (
            both.clone(),
            "Invalid check: Interval and TTL cannot both be specified",
        ),
        (
            no_interval,
            "Invalid check: Interval must be > 0 for Script, HTTP, or TCP checks",
        ),
        (
            alias,
            "Invalid check: TTL must be not be set for Alias checks",
        ),
        (
            alias_probe,
            "Invalid check: Interval cannot be set for Alias checks",
        ),
        (
            unnamed_state.clone(),
            "Status for checks must 'passing', 'warning', 'critical'",
        ),
        (script, script_text),
    ] {
        assert_eq!(
            text_of(with_checks("x", vec![check])),
            (true, text.to_owned())
        );
    }
    for (check, text) in [
        (
            both,
            "Bad request: Invalid check in sidecar_service: Interval and TTL cannot both be specified",
        ),
        (
            unnamed_state,
            "Bad request: Status for checks must 'passing', 'warning', 'critical'",
        ),
    ] {
        let said = sidecar(with_checks("", vec![check]));
        assert_eq!(text_of(said), (false, text.to_owned()));
    }
}

#[test]
fn of_several_mistakes_the_first_in_the_order_of_consul_is_reported() {
    let mut said = Registration {
        address: "::".into(),
        kind: ServiceKind::ConnectProxy,
        checks: vec![CheckDefinition::default()],
        ..meta("a b", "c")
    };
    said.weights = weights(0, 0).weights;
    said.name.clear();
    for (start, repair) in [
        (
            "Missing service name",
            (|said| said.name = "x".into()) as fn(&mut Registration),
        ),
        ("Invalid service address", |said| said.address.clear()),
        ("Invalid Weights", |said| said.weights = None),
        ("Invalid Service Meta", |said| said.meta.clear()),
        ("2 errors occurred", |said| said.kind = ServiceKind::Typical),
        ("Invalid check", |said| said.checks.clear()),
    ] {
        let (_, text) = text_of(said.clone());
        assert!(text.starts_with(start), "{text}");
        repair(&mut said);
    }
    said.check("n1", &LocalSettings::default()).unwrap();
}

#[test]
fn what_is_at_the_limit_is_taken_and_one_more_is_not() {
    let name = |length| service(&"n".repeat(length));
    let tags = |count| Registration {
        tags: vec![String::new(); count],
        ..service("x")
    };
    let checks = |count| with_checks("x", vec![ttl_check("", "1s"); count]);
    let pairs = |count: usize| Registration {
        meta: (0..count)
            .map(|n| (format!("k{n}"), String::new()))
            .collect(),
        ..service("x")
    };
    let key = |length: usize| meta(&"k".repeat(length), "");
    let value = |length: usize| meta("k", &"v".repeat(length));
    for (fits, too_much, text) in [
        (
            name(2048),
            name(2049),
            "bytes of a name, id, address or tag: 2049 found, at most 2048 allowed",
        ),
        (
            tags(1024),
            tags(1025),
            "tags of a service: 1025 found, at most 1024 allowed",
        ),
        (
            checks(64),
            checks(65),
            "checks of a service: 65 found, at most 64 allowed",
        ),
        (
            pairs(64),
            pairs(65),
            "Invalid Service Meta: Node metadata cannot contain more than 64 key/value pairs",
        ),
        (
            weights(1, 0),
            weights(0, 0),
            "Passing must be greater than 0",
        ),
        (weights(65_535, 65_535), weights(1, 65_536), "DNS Weight"),
        (
            key(128),
            key(129),
            "Key is too long (limit: 128 characters)",
        ),
        (
            value(512),
            value(513),
            "Value is too long (limit: 512 characters)",
        ),
    ] {
        fits.check("n1", &LocalSettings::default()).unwrap();
        let (_, found) = text_of(too_much);
        assert!(found.ends_with(text) || found.contains(text), "{found}");
    }
}

#[test]
fn exposed_paths_are_checked() {
    let path = |path: &str, listener_port| ExposePath {
        listener_port,
        path: path.into(),
        local_path_port: 1,
        protocol: String::new(),
    };
    let exposed = |paths| {
        let mut config = ProxyConfig::new("x");
        config.expose.paths = paths;
        proxy(config)
    };
    let fits = exposed(vec![path("/a", 1), path("/b", 2)]);
    fits.check("n1", &LocalSettings::default()).unwrap();
    let (_, text) = text_of(exposed(vec![path("/a", 1), path("/a", 1), path("", 0)]));
    assert_eq!(
        text,
        "4 errors occurred:\n\t* expose.paths: duplicate paths exposed\n\t* expose.paths: duplicate listener ports exposed\n\t* expose.paths: empty path exposed\n\t* expose.paths: invalid listener port: 0\n\n"
    );
}

#[test]
fn ids_and_names_of_checks_are_made_as_consul_makes_them() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("", "1s")]),
        at(0.0),
    );
    let several = vec![ttl_check("db-ttl", "15s"), tcp_check("", "10s")];
    let said = Registration {
        id: "db1".into(),
        ..with_checks("db", several)
    };
    register(&mut agent, said, at(0.0));
    let checks = agent
        .checks()
        .map(|check| (check.check_id.as_str(), check.name.as_str()));
    assert_eq!(
        checks.collect::<Vec<_>>(),
        [
            ("db-ttl", "Service 'db' check"),
            ("service:db1:2", "Service 'db' check"),
            ("service:web", "Service 'web' check"),
        ]
    );
    assert_eq!(
        state(&agent, "service:web"),
        (CheckStatus::Critical, String::new())
    );
}

#[test]
fn a_single_check_that_says_nothing_does_not_count() {
    let said = Registration {
        check: Some(CheckDefinition::default()),
        checks: vec![ttl_check("", "1s")],
        ..service("web")
    };
    let mut agent = agent();
    register(&mut agent, said, at(0.0));
    assert!(agent.check("service:web").is_some());
}

#[test]
fn a_check_by_itself_is_refused_with_the_texts_of_consul() {
    let mut agent = agent();
    let named = |definition: CheckDefinition| CheckRegistration {
        definition: CheckDefinition {
            name: "x".into(),
            ..definition
        },
        ..CheckRegistration::default()
    };
    let unnamed = CheckRegistration {
        definition: ttl_check("", "30s"),
        ..CheckRegistration::default()
    };
    let mut state = named(ttl_check("", "30s"));
    state.definition.status = "z".into();
    for (said, text) in [
        (unnamed, "Missing check name"),
        (state, "Bad check status"),
        (
            named(CheckDefinition::default()),
            "Invalid check: TTL must be > 0 for TTL checks",
        ),
    ] {
        let refused = said.check("n1", agent.settings()).unwrap_err();
        assert_eq!(
            (refused.is_request_error(), refused.to_string()),
            (true, text.to_owned())
        );
    }
    let mut orphan = named(ttl_check("", "30s"));
    orphan.service_id = "nosuch".into();
    let checked = orphan.check("n1", agent.settings()).unwrap();
    let refused = agent.register_check(checked, at(0.0)).unwrap_err();
    assert_eq!(refused.to_string(), r#"ServiceID "nosuch" does not exist"#);
    assert!(!refused.is_request_error());
}

#[test]
fn a_content_hash_changes_with_the_definition_only() {
    let mut agent = agent();
    let hash = |agent: &LocalState| agent.service("web").unwrap().content_hash.clone();
    register(&mut agent, service("web"), at(0.0));
    let first = hash(&agent);
    assert!(!first.is_empty() && !first.starts_with('0') && first.len() <= 16);
    assert!(first.bytes().all(|byte| byte.is_ascii_hexdigit()));
    register(&mut agent, service("web"), at(1.0));
    assert_eq!(hash(&agent), first);
    let said = Registration {
        port: 80,
        ..service("web")
    };
    register(&mut agent, said, at(2.0));
    assert_ne!(hash(&agent), first);
}

#[test]
fn deregistering_tolerates_the_unknown_and_refuses_the_unnamed() {
    let mut agent = agent();
    assert_eq!(agent.deregister_service("nope", at(0.0)), Ok(()));
    assert_eq!(agent.deregister_check("nope", at(0.0)), Ok(()));
    let refused = agent.deregister_service("", at(0.0)).unwrap_err();
    assert_eq!(refused.to_string(), "ServiceID missing");
    assert_eq!(drain(&mut agent, at(0.0)), (vec![], vec![]));
}

#[test]
fn an_agent_takes_as_many_services_as_it_may() {
    let mut agent = agent();
    agent.settings.max_services = 2;
    register(&mut agent, service("a"), at(0.0));
    let pair = sidecar(Registration::default())
        .check("n1", agent.settings())
        .unwrap();
    let refused = agent.register(pair, false, at(0.0)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "services of an agent: 3 found, at most 2 allowed"
    );
    assert!(agent.service("x").is_none());
    register(&mut agent, service("b"), at(0.0));
    register(&mut agent, service("b"), at(0.0));
}

#[test]
fn a_registration_comes_back_from_json() {
    let said = sidecar(with_checks("", vec![ttl_check("c", "90s")]));
    let text = serde_json::to_string(&said).unwrap();
    assert_eq!(serde_json::from_str::<Registration>(&text).unwrap(), said);
}

#[test]
fn an_ip_address_is_listed_under_its_version_too_and_the_sidecar_has_the_same() {
    let mut agent = agent();
    let tags = |agent: &LocalState, id: &str| {
        let instance = &agent.service(id).unwrap().instance;
        let tagged = instance.tagged_addresses.iter();
        let shown = tagged.map(|(tag, at)| format!("{tag}={}:{}", at.address, at.port));
        shown.collect::<Vec<_>>().join(" ")
    };
    let mut said = service("v4");
    said.address = "10.1.1.1".into();
    said.port = 80;
    let own = ServiceAddress {
        address: "9.9.9.9".into(),
        port: 1,
    };
    said.tagged_addresses.insert("lan_ipv4".into(), own);
    said.sidecar = Some(Box::default());
    register(&mut agent, said, at(0.0));
    assert_eq!(
        tags(&agent, "v4"),
        "lan_ipv4=9.9.9.9:1 wan_ipv4=10.1.1.1:80"
    );
    assert_eq!(
        tags(&agent, "v4-sidecar-proxy"),
        "lan_ipv4=10.1.1.1:21000 wan_ipv4=10.1.1.1:21000"
    );
    for (address, expected) in [
        ("fe80::1", "lan_ipv6=fe80::1:0 wan_ipv6=fe80::1:0"),
        (
            "::ffff:10.0.0.1",
            "lan_ipv4=::ffff:10.0.0.1:0 wan_ipv4=::ffff:10.0.0.1:0",
        ),
        ("host.name", ""),
        ("", ""),
    ] {
        let mut said = service("web");
        said.address = address.into();
        register(&mut agent, said, at(1.0));
        assert_eq!(tags(&agent, "web"), expected);
    }
}

#[test]
fn those_who_wait_for_definitions_do_not_hear_of_checks() {
    let mut agent = agent();
    let said = with_checks("web", vec![ttl_check("c", "10s")]);
    register(&mut agent, said.clone(), at(0.0));
    let before = agent.definitions();
    agent
        .update_ttl("c", CheckStatus::Passing, "fine", at(1.0))
        .unwrap();
    register(&mut agent, said.clone(), at(2.0));
    assert_eq!(agent.definitions(), before);
    let mut other = said;
    other.port = 81;
    register(&mut agent, other, at(3.0));
    assert_eq!(agent.definitions(), before + 1);
    agent.deregister_service("web", at(4.0)).unwrap();
    assert_eq!(agent.definitions(), before + 2);
}
