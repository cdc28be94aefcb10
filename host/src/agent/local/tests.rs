use std::path::Path;

use chancery_core::{
    CheckDefinition, CheckRegistration, GoDuration, HashSeed, LocalSettings, Node, NodeId,
    Registration,
};
use tempfile::TempDir;

use super::*;
use crate::clock::Clock;
use crate::server::TABLES;
use crate::store::{DataDir, MemoryStore, Store};

/// An agent that keeps what it is told below `home`, with nothing in its catalog.
async fn agent(home: &Path) -> LocalAgent {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(&TABLES));
    let seed = HashSeed([1, 2]);
    let (server, _writer) = Server::start(store, seed, Clock::start()).await.unwrap();
    let node = Node::new(NodeId::from_bytes([7; 16]), "n1", "127.0.0.1");
    let agent = LocalAgent::new(LocalState::new(node, LocalSettings::default(), 1), server);
    let directory = DataDir::open_or_create(&home.join("data")).unwrap();
    agent
        .restore(directory.folder("registered").unwrap())
        .unwrap();
    agent
}

async fn register(agent: &LocalAgent, said: Registration) {
    let checked = agent.read(|state| said.check("n1", state.settings()));
    agent.register(checked.unwrap(), false).await.unwrap();
}

fn named(name: &str) -> Registration {
    Registration {
        name: name.to_owned(),
        port: 80,
        ..Registration::default()
    }
}

fn services(agent: &LocalAgent) -> Vec<(String, u16)> {
    agent.read(|state| {
        let of = |service: &chancery_core::LocalService| {
            (service.instance.id.clone(), service.instance.port)
        };
        state.services().map(of).collect()
    })
}

fn home() -> TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn what_was_registered_is_there_after_a_restart() {
    let home = home();
    let first = agent(home.path()).await;
    register(&first, named("web")).await;
    register(&first, named("gone")).await;
    let said = CheckRegistration {
        definition: CheckDefinition {
            name: "beat".to_owned(),
            ttl: GoDuration::from_nanos(60_000_000_000),
            ..CheckDefinition::default()
        },
        service_id: "web".to_owned(),
    };
    let check = first.read(|state| said.check("n1", state.settings()));
    first.register_check(check.unwrap()).await.unwrap();
    first.deregister("gone").await.unwrap();
    drop(first);
    let second = agent(home.path()).await;
    assert_eq!(services(&second), [("web".to_owned(), 80)]);
    assert!(second.read(|state| state.check("beat").is_some()));
    second.deregister_check("beat").await.unwrap();
    drop(second);
    let third = agent(home.path()).await;
    assert!(third.read(|state| state.check("beat").is_none()));
}

#[tokio::test]
async fn maintenance_outlives_a_restart_and_ends_for_good() {
    let home = home();
    let first = agent(home.path()).await;
    register(&first, named("web")).await;
    for id in ["", "web"] {
        first.begin_maintenance(id, "new disk").await.unwrap();
    }
    drop(first);
    let second = agent(home.path()).await;
    for id in ["", "web"] {
        assert!(second.read(|state| state.is_in_maintenance(id)), "{id}");
        second.end_maintenance(id).await.unwrap();
    }
    drop(second);
    let third = agent(home.path()).await;
    for id in ["", "web"] {
        assert!(!third.read(|state| state.is_in_maintenance(id)), "{id}");
    }
}

#[tokio::test]
async fn a_sidecar_comes_back_on_the_port_that_it_was_given() {
    let home = home();
    let first = agent(home.path()).await;
    for name in ["first", "last"] {
        let mut said = named(name);
        said.sidecar = Some(Box::default());
        register(&first, said).await;
    }
    let before = services(&first);
    first.deregister("first").await.unwrap();
    let left: Vec<_> = before
        .into_iter()
        .filter(|(id, _)| id.starts_with("last"))
        .collect();
    drop(first);
    assert_eq!(services(&agent(home.path()).await), left);
}

#[tokio::test]
async fn a_service_of_the_configuration_is_not_kept() {
    let home = home();
    let first = agent(home.path()).await;
    let checked = first.read(|state| named("web").check("n1", state.settings()));
    first.register_configured(checked.unwrap()).await.unwrap();
    drop(first);
    assert_eq!(services(&agent(home.path()).await), []);
}

#[tokio::test]
async fn what_cannot_be_kept_is_not_acknowledged() {
    let home = home();
    let agent = agent(home.path()).await;
    std::fs::remove_dir_all(home.path().join("data/registered")).unwrap();
    let checked = agent.read(|state| named("web").check("n1", state.settings()));
    let error = agent.register(checked.unwrap(), false).await.unwrap_err();
    assert!(
        matches!(error, RegistrationError::NotKept { .. }),
        "{error}"
    );
}

#[tokio::test]
async fn an_unreadable_file_is_left_alone_and_hides_no_other() {
    let home = home();
    let first = agent(home.path()).await;
    register(&first, named("web")).await;
    drop(first);
    let strange = home.path().join("data/registered/service-strange.json");
    std::fs::write(&strange, "{}").unwrap();
    rustix::fs::chmod(&strange, rustix::fs::Mode::from_raw_mode(0o600)).unwrap();
    let second = agent(home.path()).await;
    assert_eq!(services(&second), [("web".to_owned(), 80)]);
    drop(second);
    assert!(strange.exists());
}
