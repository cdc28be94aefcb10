//! What the catalog is told, and that it ends up saying what the agent knows.

use proptest::prelude::*;

use super::*;
use crate::catalog::{Catalog, CatalogCommand, Check, NODE_ALIVE_CHECK, ServiceInstance};

/// Does everything there is to do with the catalog; returns how many rows changed.
fn sync(agent: &mut LocalState, catalog: &mut Catalog, now: Now) -> usize {
    let mut count = 0;
    while let Some(action) = agent.poll(now) {
        if let LocalAction::Sync { key, command } = action {
            count += write(catalog, command);
            agent.stored(&key, catalog);
        }
    }
    count
}

fn write(catalog: &mut Catalog, command: CatalogCommand) -> usize {
    let changes = catalog.propose(command, 9).unwrap();
    for change in &changes {
        catalog.apply(change, &mut Vec::new());
    }
    changes.len()
}

fn with_sidecar(name: &str, check: CheckDefinition) -> Registration {
    Registration {
        sidecar: Some(Box::default()),
        ..with_checks(name, vec![check])
    }
}

#[test]
fn what_the_catalog_says_word_for_word_is_in_memory_once() {
    let mut agent = agent();
    let mut catalog = Catalog::default();
    let is_shared = |agent: &LocalState, catalog: &Catalog| {
        let service = &agent.service("web").unwrap().instance;
        let checks = agent.checks.values();
        let same = |row: &Check| {
            let known = catalog.check("n1", &row.check_id);
            known.is_some_and(|known| std::ptr::eq(known, row))
        };
        let checks = checks.map(|check| same(&check.row)).collect::<Vec<_>>();
        let known = catalog.instance("n1", "web").unwrap();
        (std::ptr::eq(known, service.as_ref()), checks)
    };
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("c", "1h")]),
        at(0.0),
    );
    sync(&mut agent, &mut catalog, at(0.0));
    assert_eq!(is_shared(&agent, &catalog), (true, vec![true]));

    // An output that the catalog hears of later is the agent's own until then.
    let word = |agent: &mut LocalState, output, now| {
        agent
            .update_ttl("c", CheckStatus::Passing, output, now)
            .unwrap();
    };
    word(&mut agent, "a", at(1.0));
    sync(&mut agent, &mut catalog, at(1.0));
    assert_eq!(is_shared(&agent, &catalog), (true, vec![true]));
    word(&mut agent, "b", at(2.0));
    sync(&mut agent, &mut catalog, at(2.0));
    assert_eq!(is_shared(&agent, &catalog), (true, vec![false]));
    assert_eq!(catalog.check("n1", "c").unwrap().output, "a");
    assert_eq!(agent.check("c").unwrap().output, "b");

    // After a restart the agent has rows of its own, until it compares them.
    let mut restarted = self::agent();
    let said = with_checks("web", vec![ttl_check("d", "1h")]);
    register(&mut restarted, said, at(0.0));
    let mut catalog = Catalog::default();
    while let Some(LocalAction::Sync { command, .. }) = restarted.poll(at(0.0)) {
        write(&mut catalog, command);
    }
    assert_eq!(is_shared(&restarted, &catalog), (false, vec![false]));
    restarted.reconcile(&catalog);
    assert_eq!(is_shared(&restarted, &catalog), (true, vec![true]));
}

#[test]
fn the_catalog_says_what_the_agent_knows() {
    let mut agent = agent();
    let mut catalog = Catalog::default();
    register(
        &mut agent,
        with_sidecar("web", ttl_check("c", "1h")),
        at(0.0),
    );
    sync(&mut agent, &mut catalog, at(0.0));
    agent.reconcile(&catalog);
    assert_eq!(
        sync(&mut agent, &mut catalog, at(0.0)),
        1,
        "the node's own check"
    );
    agent.reconcile(&catalog);
    assert_eq!(agent.poll(at(0.0)), None);
    assert_eq!(catalog.connect("web").count(), 1);
    assert_eq!(
        catalog.check("n1", "c").unwrap().status,
        CheckStatus::Critical
    );
    agent.deregister_service("web", at(1.0)).unwrap();
    sync(&mut agent, &mut catalog, at(1.0));
    assert_eq!(catalog.instances().count(), 0);
    assert_eq!(catalog.checks().count(), 1);
}

#[test]
fn a_service_that_went_and_came_back_before_anything_was_said_leaves_no_old_check() {
    let mut agent = agent();
    let mut catalog = Catalog::default();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("old", "1h")]),
        at(0.0),
    );
    sync(&mut agent, &mut catalog, at(0.0));
    agent.deregister_service("web", at(1.0)).unwrap();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("new", "1h")]),
        at(1.0),
    );
    sync(&mut agent, &mut catalog, at(1.0));
    assert!(catalog.check("n1", "old").is_none());
    assert!(catalog.check("n1", "new").is_some());
}

#[test]
fn what_the_catalog_has_of_an_earlier_life_is_removed_but_not_the_servers_service() {
    let mut catalog = Catalog::default();
    let mut earlier = agent();
    for name in ["gone", "consul"] {
        register(
            &mut earlier,
            with_checks(name, vec![ttl_check(name, "1h")]),
            at(0.0),
        );
    }
    sync(&mut earlier, &mut catalog, at(0.0));
    let mut agent = agent();
    register(&mut agent, service("web"), at(0.0));
    agent.reconcile(&catalog);
    sync(&mut agent, &mut catalog, at(0.0));
    let left = catalog.instances().map(|left| left.id.as_str());
    assert_eq!(left.collect::<Vec<_>>(), ["consul", "web"]);
    assert!(catalog.check("n1", "consul").is_some());
    assert!(catalog.check("n1", "gone").is_none());
}

#[test]
fn what_was_not_stored_is_said_again_as_it_is_then() {
    let mut agent = agent();
    register(&mut agent, service("web"), at(0.0));
    let Some(LocalAction::Sync { key, .. }) = agent.poll(at(0.0)) else {
        panic!("nothing said");
    };
    agent.not_stored(key.clone(), at(0.0));
    agent.deregister_service("web", at(1.0)).unwrap();
    drain(&mut agent, at(1.0));
    assert_eq!(agent.next_deadline(), Some(at(5.0).mono));
    let Some(LocalAction::Sync {
        key: again,
        command,
    }) = agent.poll(at(5.0))
    else {
        panic!("nothing said again");
    };
    assert_eq!(again, key);
    let (node, id) = ("n1".to_owned(), "web".to_owned());
    assert_eq!(command, CatalogCommand::DeregisterService { node, id });
}

#[test]
fn waiters_see_every_change_and_no_silence() {
    let mut agent = agent();
    register(
        &mut agent,
        with_checks("web", vec![ttl_check("c", "10s")]),
        at(0.0),
    );
    let first = agent.changes();
    drain(&mut agent, at(0.0));
    assert_eq!(agent.changes(), first);
    agent
        .update_ttl("c", CheckStatus::Passing, "", at(0.0))
        .unwrap();
    let second = agent.changes();
    assert!(second > first);
    agent
        .update_ttl("c", CheckStatus::Passing, "", at(1.0))
        .unwrap();
    assert_eq!(agent.changes(), second);
    drain(&mut agent, at(11.0));
    assert!(agent.changes() > second);
}

#[derive(Clone, Debug)]
enum Wish {
    Register {
        name: &'static str,
        checks: Vec<&'static str>,
        sidecar: bool,
        replace: bool,
    },
    Deregister(&'static str),
    DeregisterCheck(&'static str),
    Word(&'static str, bool),
    Fail,
    Sync,
    Wait(u32),
}

fn wishes() -> impl Strategy<Value = Vec<Wish>> {
    let name = prop::sample::select(vec!["web", "db", "web-sidecar-proxy"]);
    let id = prop::sample::select(vec!["c1", "c2", "to-web", "to-db"]);
    let registration = (
        name.clone(),
        prop::collection::vec(id.clone(), 0..3),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(name, checks, sidecar, replace)| Wish::Register {
            name,
            checks,
            sidecar,
            replace,
        });
    let wish = prop_oneof![
        4 => registration,
        1 => name.prop_map(Wish::Deregister),
        1 => id.clone().prop_map(Wish::DeregisterCheck),
        3 => (id, any::<bool>()).prop_map(|(id, passes)| Wish::Word(id, passes)),
        1 => Just(Wish::Fail),
        2 => Just(Wish::Sync),
        2 => (1_u32..400).prop_map(Wish::Wait),
    ];
    prop::collection::vec(wish, 1..40)
}

fn check(id: &str) -> CheckDefinition {
    match id.strip_prefix("to-") {
        Some(service) => CheckDefinition {
            check_id: id.into(),
            alias_service: service.into(),
            ..CheckDefinition::default()
        },
        None => CheckDefinition {
            deregister_critical_service_after: go("5m"),
            ..ttl_check(id, "100s")
        },
    }
}

fn obey(agent: &mut LocalState, catalog: &mut Catalog, wish: Wish, now: &mut Now) {
    match wish {
        Wish::Register {
            name,
            checks,
            sidecar,
            replace,
        } => {
            let mut said = with_checks(name, checks.into_iter().map(check).collect());
            said.sidecar = sidecar.then(Box::default);
            let checked = said.check("n1", agent.settings()).unwrap();
            agent.register(checked, replace, *now).unwrap();
        }
        Wish::Deregister(id) => agent.deregister_service(id, *now).unwrap(),
        Wish::DeregisterCheck(id) => agent.deregister_check(id, *now).unwrap(),
        Wish::Word(id, passes) => {
            let status = if passes {
                CheckStatus::Passing
            } else {
                CheckStatus::Critical
            };
            agent
                .update_ttl(id, status, "word", *now)
                .unwrap_or_default();
        }
        Wish::Fail => {
            if let Some(LocalAction::Sync { key, .. }) = agent.poll(*now) {
                agent.not_stored(key, *now);
            }
        }
        Wish::Sync => {
            sync(agent, catalog, *now);
        }
        Wish::Wait(seconds) => {
            now.mono = now.mono.saturating_add(Duration::from_secs(seconds.into()))
        }
    }
}

proptest! {
    #[test]
    fn after_anything_the_catalog_ends_up_saying_what_the_agent_knows(wishes in wishes()) {
        let mut agent = agent();
        let mut catalog = Catalog::default();
        let mut now = at(0.0);
        for wish in wishes {
            obey(&mut agent, &mut catalog, wish, &mut now);
        }
        // Long enough for what failed to be said again, and for outputs that wait.
        for _ in 0..2 {
            now.mono = now.mono.saturating_add(Duration::from_secs(300));
            sync(&mut agent, &mut catalog, now);
        }
        let said = |mut row: ServiceInstance| {
            (row.create_index, row.modify_index) = (0, 0);
            row
        };
        let instances = catalog.instances().cloned().map(said);
        let ours = agent.services().map(|service| said(service.instance.as_ref().clone()));
        prop_assert_eq!(instances.collect::<Vec<_>>(), ours.collect::<Vec<_>>());
        let checks = catalog.checks().filter(|known| known.check_id != NODE_ALIVE_CHECK);
        let said = |mut row: Check| {
            (row.create_index, row.modify_index) = (0, 0);
            row
        };
        let checks = checks.cloned().map(said);
        prop_assert_eq!(checks.collect::<Vec<_>>(), agent.checks().cloned().map(said).collect::<Vec<_>>());
    }
}
