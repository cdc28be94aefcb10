use super::*;

const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const THERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

fn registry(change: impl FnOnce(&mut Limits)) -> Registry {
    let mut limits = Limits::default();
    change(&mut limits);
    Registry::new(limits)
}

fn service(name: &str) -> ServiceId {
    let uri = format!(
        "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/{name}"
    );
    match chancery_core::SpiffeId::parse(&uri).unwrap() {
        chancery_core::SpiffeId::Service(id) => id,
        other => panic!("{other} is no service"),
    }
}

fn entered(registry: &Registry, name: &str) -> ConnectionHandle {
    let mut handle = registry.admit(HERE).unwrap();
    handle.enter(&service(name));
    handle
}

#[test]
fn a_change_cuts_the_denied_and_no_other() {
    let registry = registry(|_| {});
    let web = [entered(&registry, "web"), entered(&registry, "web")];
    let api = entered(&registry, "api");
    let cut = registry.cut_denied(|id| (id.service().as_str() == "web").then_some("why"));
    let [(peer, 2, "why")] = cut.as_slice() else {
        panic!("{cut:?}");
    };
    assert_eq!(peer.service().as_str(), "web");
    assert!(web.iter().all(|handle| handle.cut().is_cancelled()));
    assert!(!api.cut().is_cancelled());
}

#[test]
fn a_closed_connection_leaves_nothing_behind() {
    let registry = registry(|_| {});
    drop(entered(&registry, "web"));
    drop(registry.admit(THERE).unwrap());
    let inner = registry.lock();
    assert_eq!((inner.open, inner.handshakes), (0, 0));
    assert!(inner.peers.is_empty() && inner.sources.is_empty());
}

#[test]
fn connections_are_bounded_in_all() {
    let registry = registry(|limits| limits.connections = 2);
    let _first = registry.admit(HERE).unwrap();
    let second = registry.admit(THERE).unwrap();
    assert_eq!(registry.admit(HERE).unwrap_err(), Refusal::Full(2));
    drop(second);
    assert!(registry.admit(HERE).is_ok());
}

#[test]
fn connections_are_bounded_per_source() {
    let registry = registry(|limits| limits.connections_per_source = 1);
    let _first = registry.admit(HERE).unwrap();
    assert_eq!(registry.admit(HERE).unwrap_err(), Refusal::SourceFull(1));
    assert!(registry.admit(THERE).is_ok());
}

#[test]
fn a_newcomer_takes_the_place_of_the_oldest_handshake_of_its_source() {
    let registry = registry(|limits| limits.handshakes_per_source = 2);
    let other = registry.admit(THERE).unwrap();
    let first = registry.admit(HERE).unwrap();
    let second = registry.admit(HERE).unwrap();
    assert!(!first.cut().is_cancelled());
    let third = registry.admit(HERE).unwrap();
    assert!(first.cut().is_cancelled());
    assert!(
        ![&other, &second, &third]
            .iter()
            .any(|handle| handle.cut().is_cancelled())
    );
}

#[test]
fn when_all_are_too_many_the_most_crowded_source_gives_way() {
    let registry = registry(|limits| limits.handshakes = 3);
    let crowd = [registry.admit(HERE).unwrap(), registry.admit(HERE).unwrap()];
    let single = registry.admit(THERE).unwrap();
    let newcomer = registry.admit(THERE).unwrap();
    assert!(crowd.first().unwrap().cut().is_cancelled());
    assert!(!single.cut().is_cancelled() && !newcomer.cut().is_cancelled());
}

#[test]
fn a_finished_handshake_is_not_in_the_way_of_others() {
    let registry = registry(|limits| limits.handshakes_per_source = 1);
    let settled = entered(&registry, "web");
    let _next = registry.admit(HERE).unwrap();
    assert!(!settled.cut().is_cancelled());
}

#[test]
fn stopping_cuts_handshakes_too() {
    let registry = registry(|_| {});
    let settled = entered(&registry, "web");
    let stranger = registry.admit(THERE).unwrap();
    registry.cut_all();
    assert!(settled.cut().is_cancelled() && stranger.cut().is_cancelled());
}
