//! Proxies that come and go with their service.

use super::*;

fn with_sidecar(name: &str) -> Registration {
    Registration {
        port: 9090,
        sidecar: Some(Box::default()),
        ..service(name)
    }
}

fn port(agent: &LocalState, id: &str) -> u16 {
    agent.service(id).unwrap().instance.port
}

#[test]
fn a_sidecar_is_what_consul_makes_of_nothing() {
    let mut agent = agent();
    let said = Registration {
        tags: vec!["a".into()],
        meta: [("k".into(), "v".into())].into(),
        ..with_sidecar("api")
    };
    register(&mut agent, said, at(0.0));
    let sidecar = &agent.service("api-sidecar-proxy").unwrap().instance;
    let proxy = sidecar.proxy.as_ref().unwrap();
    assert_eq!(sidecar.kind.as_str(), "connect-proxy");
    assert_eq!(sidecar.name, "api-sidecar-proxy");
    assert_eq!(sidecar.port, 21_000);
    assert_eq!(sidecar.tags, ["a"]);
    assert_eq!(sidecar.meta["k"], "v");
    assert_eq!(proxy.destination_service_name, "api");
    assert_eq!(proxy.destination_service_id, "api");
    assert_eq!(proxy.local_service_address, "127.0.0.1");
    assert_eq!(proxy.local_service_port, 9090);
    let listening = agent.check("service:api-sidecar-proxy:1").unwrap();
    assert_eq!(listening.name, "Connect Sidecar Listening");
    assert_eq!(listening.kind.as_str(), "tcp");
    let aliasing = agent.check("service:api-sidecar-proxy:2").unwrap();
    assert_eq!(aliasing.name, "Connect Sidecar Aliasing api");
    assert_eq!(
        state(&agent, "service:api-sidecar-proxy:2"),
        (CheckStatus::Passing, "No checks found.".into())
    );
    let (_, probes) = drain(&mut agent, at(10.0));
    let [probe] = probes.as_slice() else {
        panic!("one probe expected");
    };
    assert_eq!(
        probe.target,
        ProbeTarget::Tcp {
            address: "127.0.0.1:21000".into()
        }
    );
    assert_eq!(probe.interval, Duration::from_secs(10));
}

#[test]
fn a_port_is_kept_by_its_sidecar_and_the_lowest_free_one_is_given() {
    let mut agent = agent();
    for name in ["a", "b", "c"] {
        register(&mut agent, with_sidecar(name), at(0.0));
    }
    register(&mut agent, with_sidecar("b"), at(1.0));
    assert_eq!(port(&agent, "b-sidecar-proxy"), 21_001);
    agent.deregister_service("a", at(2.0)).unwrap();
    register(&mut agent, with_sidecar("d"), at(3.0));
    assert_eq!(port(&agent, "d-sidecar-proxy"), 21_000);
    let taken = Registration {
        port: 21_003,
        ..with_sidecar("e")
    };
    register(&mut agent, taken, at(4.0));
    assert_eq!(port(&agent, "e-sidecar-proxy"), 21_004);
}

#[test]
fn a_service_whose_sidecar_gets_no_port_is_not_registered() {
    let mut agent = agent();
    agent.settings.sidecar_ports = 21_000..=21_001;
    register(&mut agent, with_sidecar("a"), at(0.0));
    register(&mut agent, with_sidecar("b"), at(0.0));
    let third = with_sidecar("c").check("n1", agent.settings()).unwrap();
    let refused = agent.register(third, false, at(0.0)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Bad request: Invalid SidecarService: no port provided for sidecar_service and none left in the configured range [21000, 21001]"
    );
    assert!(agent.service("c").is_none());
}

#[test]
fn a_sidecar_goes_with_its_service_but_a_proxy_of_that_name_stays() {
    let mut agent = agent();
    register(&mut agent, with_sidecar("api"), at(0.0));
    register(&mut agent, service("web"), at(0.0));
    register(&mut agent, service("web-sidecar-proxy"), at(0.0));
    agent.deregister_service("api", at(1.0)).unwrap();
    agent.deregister_service("web", at(1.0)).unwrap();
    let left = agent.services().map(|left| left.instance.id.as_str());
    assert_eq!(left.collect::<Vec<_>>(), ["web-sidecar-proxy"]);
    assert_eq!(agent.checks().count(), 0);
}
