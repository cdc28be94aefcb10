//! What the catalog is told, and that it ends up saying what the agent knows.

use super::*;
use crate::catalog::{Catalog, CatalogCommand};

/// Does everything there is to do with the catalog; returns how many rows changed.
fn sync(agent: &mut LocalState, catalog: &mut Catalog, now: Now) -> usize {
    let mut count = 0;
    while let Some(action) = agent.poll(now) {
        if let LocalAction::Sync { command, .. } = action {
            count += write(catalog, command);
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
