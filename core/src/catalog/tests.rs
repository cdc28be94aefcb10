use proptest::prelude::*;

use super::*;

fn node(name: &str) -> Node {
    let mut id = [7_u8; 16];
    id[0] = name.bytes().next().unwrap_or_default();
    Node::new(NodeId::from_bytes(id), name, "10.0.0.1")
}

fn register(node: Node, service: Option<ServiceInstance>, checks: Vec<Check>) -> CatalogCommand {
    CatalogCommand::Register {
        node,
        keep_node: false,
        service: service.map(Box::new),
        checks,
    }
}

/// Proposes, applies, and returns the changes with the topics they touched, in order, once each.
fn write(
    catalog: &mut Catalog,
    command: CatalogCommand,
    revision: u64,
) -> (Vec<CatalogChange>, Vec<CatalogTopic>) {
    let changes = catalog.propose(command, revision).unwrap();
    let mut topics = Vec::new();
    for change in &changes {
        catalog.apply(change, &mut topics);
    }
    topics.sort();
    topics.dedup();
    (changes, topics)
}

fn proxy_for(node: &str, destination: &str) -> ServiceInstance {
    let id = format!("{destination}-proxy");
    let mut proxy = ServiceInstance::new(node, id.clone(), id);
    proxy.kind = ServiceKind::ConnectProxy;
    proxy.port = 8181;
    proxy.proxy = Some(Box::new(ProxyConfig::new(destination)));
    proxy
}

fn check_of(service_id: &str, check_id: &str, status: CheckStatus) -> Check {
    let mut check = Check::new("", check_id, check_id, status);
    check.service_id = service_id.to_owned();
    check
}

fn ids<'a>(instances: impl Iterator<Item = &'a ServiceInstance>) -> Vec<&'a str> {
    instances.map(|instance| instance.id.as_str()).collect()
}

#[test]
fn an_instance_is_found_by_name_and_a_proxy_by_its_destination() {
    let mut catalog = Catalog::default();
    let mut native = ServiceInstance::new("", "web-native", "web");
    native.connect_native = true;
    for (revision, service) in (2..).zip([
        ServiceInstance::new("", "web1", "web"),
        ServiceInstance::new("", "webbing", "webbing"),
        proxy_for("", "web"),
        native,
    ]) {
        write(
            &mut catalog,
            register(node("n1"), Some(service), vec![]),
            revision,
        );
    }
    assert_eq!(ids(catalog.service("web")), ["web-native", "web1"]);
    assert_eq!(ids(catalog.service("WEB")), ["web-native", "web1"]);
    assert_eq!(ids(catalog.connect("web")), ["web-native", "web-proxy"]);
    assert_eq!(ids(catalog.connect("webbing")), [""; 0]);
    assert_eq!(ids(catalog.service("we")), [""; 0]);
    assert_eq!(
        catalog.services().into_keys().collect::<Vec<_>>(),
        ["web", "web-proxy", "webbing"]
    );
}

#[test]
fn registering_the_same_again_writes_nothing() {
    let mut catalog = Catalog::default();
    let command = || {
        register(
            node("n1"),
            Some(ServiceInstance::new("", "web1", "web")),
            vec![check_of("web1", "c", CheckStatus::Passing)],
        )
    };
    let (changes, _) = write(&mut catalog, command(), 2);
    assert_eq!(changes.len(), 3);
    assert_eq!(catalog.propose(command(), 3), Ok(vec![]));
}

#[test]
fn a_changed_row_keeps_its_creation_and_shows_its_change() {
    let mut catalog = Catalog::default();
    let mut service = ServiceInstance::new("", "web1", "web");
    write(
        &mut catalog,
        register(node("n1"), Some(service.clone()), vec![]),
        2,
    );
    service.port = 80;
    let (changes, topics) = write(&mut catalog, register(node("n1"), Some(service), vec![]), 3);
    assert_eq!(changes.len(), 1);
    assert_eq!(
        topics,
        [CatalogTopic::node("n1"), CatalogTopic::service("web")]
    );
    let stored = catalog.instance("n1", "web1").unwrap();
    assert_eq!((stored.create_index, stored.modify_index), (2, 3));
}

#[test]
fn a_check_of_the_node_touches_all_its_services() {
    let mut catalog = Catalog::default();
    write(
        &mut catalog,
        register(node("n1"), Some(proxy_for("", "web")), vec![]),
        2,
    );
    let alive = Check::new(
        "",
        NODE_ALIVE_CHECK,
        "Serf Health Status",
        CheckStatus::Critical,
    );
    let (_, topics) = write(&mut catalog, register(node("n1"), None, vec![alive]), 3);
    assert_eq!(
        topics,
        [
            CatalogTopic::Checks,
            CatalogTopic::connect("web"),
            CatalogTopic::node("n1"),
            CatalogTopic::service("web-proxy")
        ]
    );
    let proxy = catalog.connect("web").next().unwrap();
    assert_eq!(catalog.status(proxy), CheckStatus::Critical);
    assert_eq!(
        catalog.endpoint(proxy).unwrap().status(),
        CheckStatus::Critical
    );
}

#[test]
fn renaming_a_service_moves_it_and_renames_it_in_its_checks() {
    let mut catalog = Catalog::default();
    let checks = vec![check_of("a", "c", CheckStatus::Warning)];
    let service = |name| Some(ServiceInstance::new("", "a", name));
    write(
        &mut catalog,
        register(node("n1"), service("old"), checks),
        2,
    );
    let (_, topics) = write(
        &mut catalog,
        register(node("n1"), service("new"), vec![]),
        3,
    );
    assert!(topics.contains(&CatalogTopic::service("old")));
    assert!(topics.contains(&CatalogTopic::service("new")));
    assert!(topics.contains(&CatalogTopic::Services));
    assert_eq!(catalog.service("old").count(), 0);
    assert_eq!(catalog.check("n1", "c").unwrap().service_name, "new");
}

#[test]
fn a_check_of_an_unknown_instance_is_refused() {
    let checks = vec![check_of("nosuch", "c", CheckStatus::Passing)];
    let refused = Catalog::default().propose(register(node("n1"), None, checks), 2);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "failed inserting check: Missing service registration on node \"n1\""
    );
}

#[test]
fn deleting_a_node_deletes_its_instances_and_checks_and_no_others() {
    let mut catalog = Catalog::default();
    for (revision, name) in [(2, "n1"), (3, "n10")] {
        let service = ServiceInstance::new("", "web", "web");
        let checks = vec![
            check_of("web", "c", CheckStatus::Passing),
            check_of("", "mem", CheckStatus::Passing),
        ];
        let mut node = node(name);
        node.id = NodeId::from_bytes([revision as u8; 16]);
        write(
            &mut catalog,
            register(node, Some(service), checks),
            revision,
        );
    }
    let command = CatalogCommand::DeregisterNode { node: "N1".into() };
    let (changes, topics) = write(&mut catalog, command, 4);
    assert_eq!(changes.len(), 4);
    assert!(topics.contains(&CatalogTopic::Nodes));
    assert_eq!(catalog.nodes().count(), 1);
    assert_eq!(catalog.instances().count(), 1);
    assert_eq!(catalog.checks().count(), 2);
    assert_eq!(catalog.service("web").count(), 1);
}

#[test]
fn deregistering_what_is_unknown_changes_nothing() {
    let mut catalog = Catalog::default();
    let checks = vec![check_of("", "mem", CheckStatus::Passing)];
    write(&mut catalog, register(node("n1"), None, checks), 2);
    for command in [
        CatalogCommand::DeregisterNode { node: "x".into() },
        CatalogCommand::DeregisterService {
            node: "n1".into(),
            id: String::new(),
        },
        CatalogCommand::DeregisterCheck {
            node: "n1".into(),
            check_id: "x".into(),
        },
    ] {
        assert_eq!(catalog.propose(command, 3), Ok(vec![]));
    }
}

#[test]
fn a_node_that_is_alive_keeps_its_name() {
    let mut catalog = Catalog::default();
    let alive = |status| {
        vec![Check::new(
            "",
            NODE_ALIVE_CHECK,
            "Serf Health Status",
            status,
        )]
    };
    write(
        &mut catalog,
        register(node("n1"), None, alive(CheckStatus::Passing)),
        2,
    );
    let mut other = node("n1");
    other.id = NodeId::from_bytes([9; 16]);
    let refused = catalog.propose(register(other.clone(), None, vec![]), 3);
    assert_eq!(
        refused.unwrap_err().to_string(),
        "failed inserting node: Error while renaming Node ID: \"09090909-0909-0909-0909-090909090909\": Node name n1 is reserved by node 6e070707-0707-0707-0707-070707070707 with name n1 (10.0.0.1)"
    );
    write(
        &mut catalog,
        register(node("n1"), None, alive(CheckStatus::Critical)),
        4,
    );
    write(&mut catalog, register(other.clone(), None, vec![]), 5);
    assert_eq!(catalog.node("n1").unwrap().id, other.id);
    assert!(catalog.node_by_id(node("n1").id).is_none());
}

#[test]
fn a_node_with_a_new_name_leaves_nothing_under_the_old_one() {
    let mut catalog = Catalog::default();
    let service = ServiceInstance::new("", "web", "web");
    write(&mut catalog, register(node("n1"), Some(service), vec![]), 2);
    let mut renamed = node("n1");
    renamed.name = "m1".into();
    write(&mut catalog, register(renamed, None, vec![]), 3);
    assert!(catalog.node("n1").is_none());
    assert_eq!(catalog.instances().count(), 0);
    assert_eq!(catalog.node_by_id(node("n1").id).unwrap().name, "m1");
}

#[test]
fn rows_come_back_from_json_as_they_were() {
    let mut proxy = proxy_for("n1", "web");
    proxy.meta.insert("k".into(), "v".into());
    let config = proxy.proxy.as_mut().unwrap();
    config.upstreams.push(Upstream::new("db", 5000));
    config.mesh_gateway = MeshGatewayMode::Local;
    let change = CatalogChange::PutService(Arc::new(proxy));
    let text = serde_json::to_string(&change).unwrap();
    assert_eq!(
        serde_json::from_str::<CatalogChange>(&text).unwrap(),
        change
    );
}

fn commands() -> impl Strategy<Value = Vec<CatalogCommand>> {
    let node_name = prop::sample::select(vec!["a", "A", "b", "c1", "c2"]);
    let id = prop::sample::select(vec!["", "s1", "s2", "S1"]);
    let name = prop::sample::select(vec!["web", "Web", "db"]);
    let status = prop::sample::select(vec![CheckStatus::Passing, CheckStatus::Critical]);
    let check = (id.clone(), prop::sample::select(vec!["c1", "c2"]), status)
        .prop_map(|(service, check, status)| check_of(service, check, status));
    let service =
        (id.clone(), name, any::<bool>(), 0_u16..3).prop_map(|(id, name, proxy, port)| {
            let mut service = ServiceInstance::new("", id, name);
            if proxy {
                service.kind = ServiceKind::ConnectProxy;
                service.proxy = Some(Box::new(ProxyConfig::new(name)));
            }
            service.port = port;
            service
        });
    let registration = (
        node_name.clone(),
        prop::option::of(service),
        prop::collection::vec(check, 0..3),
    )
        .prop_map(|(name, service, checks)| register(node(name), service, checks));
    let deregistration = (node_name, id, 0..3).prop_map(|(node, id, what)| {
        let (node, id) = (node.to_owned(), id.to_owned());
        match what {
            0 => CatalogCommand::DeregisterNode { node },
            1 => CatalogCommand::DeregisterService { node, id },
            _ => CatalogCommand::DeregisterCheck {
                node,
                check_id: "c1".into(),
            },
        }
    });
    prop::collection::vec(prop_oneof![3 => registration, 1 => deregistration], 1..40)
}

proptest! {
    #[test]
    fn a_replay_gives_the_same_catalog_and_old_views_stay(commands in commands()) {
        let mut catalog = Catalog::default();
        let mut replayed = Catalog::default();
        let mut views = Vec::new();
        for (revision, command) in (2..).zip(commands) {
            let Ok(changes) = catalog.propose(command.clone(), revision) else { continue };
            views.push((catalog.clone(), serde_json::to_string(&rows(&catalog)).unwrap()));
            for change in &changes {
                let text = serde_json::to_string(change).unwrap();
                catalog.apply(change, &mut Vec::new());
                replayed.apply(&serde_json::from_str(&text).unwrap(), &mut Vec::new());
            }
            prop_assert_eq!(catalog.propose(command, revision + 1).unwrap(), vec![]);
        }
        prop_assert_eq!(&replayed, &catalog);
        for (view, text) in &views {
            prop_assert_eq!(&serde_json::to_string(&rows(view)).unwrap(), text);
        }
        let mut restored = Catalog::default();
        for row in rows(&catalog) {
            restored.apply(&row, &mut Vec::new());
        }
        prop_assert_eq!(&restored, &catalog);
        assert_no_orphans(&catalog);
    }
}

fn rows(catalog: &Catalog) -> Vec<CatalogChange> {
    let nodes = catalog.nodes().cloned().map(CatalogChange::PutNode);
    let services = catalog
        .instances()
        .cloned()
        .map(Arc::new)
        .map(CatalogChange::PutService);
    let checks = catalog
        .checks()
        .cloned()
        .map(Arc::new)
        .map(CatalogChange::PutCheck);
    nodes.chain(services).chain(checks).collect()
}

fn assert_no_orphans(catalog: &Catalog) {
    for service in catalog.instances() {
        assert!(catalog.node(&service.node).is_some());
        let by_name = catalog
            .service(&service.name)
            .filter(|found| *found == service);
        assert_eq!(by_name.count(), 1);
    }
    for check in catalog.checks() {
        assert!(catalog.node(&check.node).is_some());
        let owned =
            check.is_of_node() || catalog.instance(&check.node, &check.service_id).is_some();
        assert!(owned);
    }
}

#[test]
fn a_node_that_is_to_stay_as_it_is_does() {
    let mut catalog = Catalog::default();
    write(&mut catalog, register(node("n1"), None, Vec::new()), 2);
    let mut moved = node("n1");
    moved.address = "10.0.0.99".to_owned();
    let kept = CatalogCommand::Register {
        node: moved,
        keep_node: true,
        service: None,
        checks: vec![check_of("", "c", CheckStatus::Passing)],
    };
    let (_, topics) = write(&mut catalog, kept, 3);
    assert_eq!(catalog.node("n1").unwrap().address, "10.0.0.1");
    assert!(topics.contains(&CatalogTopic::Checks));
    assert!(!topics.contains(&CatalogTopic::Nodes));
    let unknown = CatalogCommand::Register {
        node: node("n2"),
        keep_node: true,
        service: None,
        checks: Vec::new(),
    };
    write(&mut catalog, unknown, 4);
    assert!(catalog.node("n2").is_some());
}

#[test]
fn a_node_needs_a_name_and_an_address() {
    for (name, address, text) in [
        ("", "10.0.0.1", "Must provide node"),
        (
            "n1",
            "",
            "Must provide address if SkipNodeUpdate is not set",
        ),
    ] {
        let node = Node::new(NodeId::NIL, name, address);
        let refused = Catalog::default().propose(register(node, None, Vec::new()), 2);
        assert_eq!(refused.unwrap_err().to_string(), text);
    }
}
