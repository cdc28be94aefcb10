//! The CA is changed under traffic: agent and sidecars are processes, ours and some of Consul's,
//! new connections come at an even rate and others stay open. Nobody notices: not the
//! connections, not a peer that took its roots before the change and never asks again, nor one
//! that only knows the new root.
//!
//! What this is worth is shown by the last scenario, in which the old CA cannot sign the new
//! one's root.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentHome, AgentKind, App, Ca, HeldPeer, HeldServer, OperatorCa, ProxyKind, Service,
    Sidecar, Tally, Traffic, call_through, eventually, free_port,
};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

/// `web` calls `db` through our proxies. `old-web` calls it through Consul's, and `web` calls
/// `old-db` behind Consul's.
struct Stage {
    agent: Agent,
    ca: Ca,
    db: Service,
    web: Service,
    entries: Vec<SocketAddr>,
    _proxies: Vec<Sidecar>,
    _app: App,
}

impl Stage {
    async fn set(agent: Agent, with_consul: bool) -> Self {
        let ca = Ca::new(agent.api());
        let app = App::echo().await.unwrap();
        let db = Service::new("db", app.address()).unwrap();
        let web = Service::new("web", app.address()).unwrap();
        let mut web = web.calling("db").unwrap();
        let mut proxies = vec![
            db.start_quietly(&agent, ProxyKind::Chancery, 1)
                .await
                .unwrap(),
        ];
        let mut entries = vec![web.upstream("db")];
        if with_consul {
            let old_db = Service::new("old-db", app.address()).unwrap();
            let old_web = Service::new("old-web", app.address()).unwrap();
            let old_web = old_web.calling("db").unwrap();
            web = web.calling("old-db").unwrap();
            proxies.push(
                old_db
                    .start_quietly(&agent, ProxyKind::Consul, 1)
                    .await
                    .unwrap(),
            );
            proxies.push(
                old_web
                    .start_quietly(&agent, ProxyKind::Consul, 1)
                    .await
                    .unwrap(),
            );
            entries.extend([web.upstream("old-db"), old_web.upstream("db")]);
        }
        proxies.push(
            web.start_quietly(&agent, ProxyKind::Chancery, 1)
                .await
                .unwrap(),
        );
        let stage = Self {
            agent,
            ca,
            db,
            web,
            entries,
            _proxies: proxies,
            _app: app,
        };
        for entry in &stage.entries {
            eventually(SOON, async || call_through(*entry).await)
                .await
                .unwrap();
        }
        stage
    }

    /// Starts load on every entry: `rate` new connections a second and five that stay.
    fn load(&self, rate: u32) -> Vec<Traffic> {
        let start = |entry: &SocketAddr| Traffic::start(*entry, rate, 5).unwrap();
        self.entries.iter().map(start).collect()
    }

    /// Waits until `db`'s proxy shows a leaf that stands on the active root alone.
    async fn wait_moved(&self) {
        let mut newest = self.ca.roots().await.unwrap();
        newest.roots.retain(|(id, _)| *id == newest.active);
        let mover = HeldPeer::of(self.ca.leaf("mover").await.unwrap(), &newest).unwrap();
        eventually(SOON, async || mover.call(self.db.public()).await)
            .await
            .unwrap();
    }
}

fn stopped(load: Vec<Traffic>) -> Tally {
    let stop = |traffic: Traffic| traffic.stop();
    load.into_iter()
        .map(stop)
        .fold(Tally::default(), Tally::and)
}

fn assert_nothing_lost(tally: &Tally) {
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 100 && tally.beats > 100, "{tally}");
}

/// A server that only `peer` stands for, which `web` calls like any service.
async fn served_by(stage: &Stage, peer: &HeldPeer, name: &str) -> (HeldServer, Service) {
    let server = peer.serve().await.unwrap();
    let service = Service::new(name, server.address())
        .unwrap()
        .answered_at(server.address());
    service.register(&stage.agent).await.unwrap();
    (server, stage.web.clone().calling(name).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_keys_another_life_and_an_emergency_under_traffic_lose_nothing() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let stage = Stage::set(agent, true).await;
    let before = HeldPeer::take(&stage.ca, "held").await.unwrap();
    let (server, web) = served_by(&stage, &before, "held").await;
    web.register(&stage.agent).await.unwrap();
    eventually(SOON, async || call_through(web.upstream("held")).await)
        .await
        .unwrap();
    let load = stage.load(20);
    for number in 1..=3 {
        stage.ca.rotate().await.unwrap();
        assert_eq!(stage.ca.roots().await.unwrap().roots.len(), number + 1);
        let leaf = stage.ca.leaf("fresh").await.unwrap();
        assert_eq!(leaf.length(), number + 1, "{}", leaf.chain_pem);
        leaf.verify(before.bundle()).unwrap();
        // One wait for the proxies to move by themselves; later somebody asks for their leafs.
        if number > 1 {
            for service in ["db", "web", "old-db", "old-web"] {
                stage.ca.leaf(service).await.unwrap();
            }
        }
        stage.wait_moved().await;
        // Who knows nothing of it gets in, and is let in by those who moved.
        before.call(stage.db.public()).await.unwrap();
        call_through(web.upstream("held")).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let longer = json!({"LeafCertTTL": "24h", "CSRMaxPerSecond": 0});
    let roots = stage.ca.roots().await.unwrap();
    stage.ca.configure("consul", &longer).await.unwrap();
    assert_eq!(stage.ca.roots().await.unwrap().ids(), roots.ids());
    // Five new keys within the age that bundles may have are as many as a path has room for.
    stage.ca.rotate_in_emergency("1000h").await.unwrap();
    stage.ca.give_key().await.unwrap();
    stage.wait_moved().await;
    before.call(stage.db.public()).await.unwrap();
    call_through(web.upstream("held")).await.unwrap();
    let sixth = stage.ca.give_key().await.unwrap_err().to_string();
    assert!(sixth.contains("certificates"), "{sixth}");
    let tally = stopped(load);
    println!("{tally}");
    assert_nothing_lost(&tally);
    assert_eq!(server.refused(), 0);
}

/// Lives so short that a whole retirement fits in a test.
const SHORT: &str = r#"ca_config {
    skip_validate = true
    leaf_cert_ttl = "10s"
    bundle_max_age = "5s"
    csr_max_per_second = 0
}"#;

async fn with_short_lives() -> (AgentHome, Agent) {
    let home = AgentHome::with_connect(SHORT, "").unwrap();
    let agent = Agent::start_at(&home, free_port().unwrap()).await.unwrap();
    (home, agent)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_go_when_no_bundle_in_use_needs_them_and_nothing_breaks() {
    let (_home, agent) = with_short_lives().await;
    let stage = Stage::set(agent, false).await;
    let before = HeldPeer::take(&stage.ca, "held").await.unwrap();
    let first = stage.ca.roots().await.unwrap();
    let load = stage.load(20);
    let ordered = Instant::now();
    stage.ca.rotate().await.unwrap();
    let leaf = stage.ca.leaf("fresh").await.unwrap();
    let age = ordered.elapsed();
    assert_eq!(
        leaf.verify(before.bundle()).is_ok(),
        age < Duration::from_secs(5),
        "{age:?}"
    );
    let alone = eventually(SOON, async || {
        let roots = stage.ca.roots().await.unwrap();
        let leaf = stage.ca.leaf("fresh").await.unwrap();
        // The old root itself stays until the agent has watched its clock for an hour.
        let found = (roots.roots.len(), leaf.length());
        (found == (2, 1)).then_some(roots).ok_or(found)
    })
    .await
    .unwrap();
    let gone = ordered.elapsed();
    assert_ne!(alone.active, first.active);
    // No bundle in use had only the old root any more.
    assert!(
        gone > Duration::from_secs(5),
        "the link went after {gone:?}"
    );
    tokio::time::sleep(Duration::from_secs(3)).await;
    let tally = stopped(load);
    println!("the link went {gone:?} after the order; {tally}");
    assert_nothing_lost(&tally);
    // Nobody may use a bundle that long: whoever does is left behind, as the bound says.
    before.call(stage.db.public()).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_an_emergency_the_old_root_goes_when_it_was_told_and_the_mesh_goes_on() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let stage = Stage::set(agent, false).await;
    let stolen = HeldPeer::take(&stage.ca, "web").await.unwrap();
    let first = stage.ca.roots().await.unwrap();
    let load = stage.load(20);
    let ordered = Instant::now();
    stage.ca.rotate_in_emergency("6s").await.unwrap();
    stage.wait_moved().await;
    stolen.call(stage.db.public()).await.unwrap();
    let alone = eventually(SOON, async || {
        let roots = stage.ca.roots().await.unwrap();
        (roots.roots.len() == 1).then_some(roots).ok_or(())
    })
    .await
    .unwrap();
    let gone = ordered.elapsed();
    assert!(gone >= Duration::from_secs(6), "{gone:?}");
    assert!(gone < Duration::from_secs(20), "{gone:?}");
    assert!(!first.ids().contains(&alone.active.as_str()));
    // Whoever has a leaf by the stolen key is out, though it would be valid for days.
    eventually(SOON, async || match stolen.call(stage.db.public()).await {
        Ok(()) => Err("the stolen leaf still gets in"),
        Err(_) => Ok(()),
    })
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let tally = stopped(load);
    println!("the compromised root went {gone:?} after the order; {tally}");
    assert_nothing_lost(&tally);
}

/// The cost of not being linked: an operator's chain signs leafs, and no other root.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_cross_signing_a_change_is_refused_and_forced_it_leaves_old_peers_behind() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let stage = Stage::set(agent, false).await;
    stage.ca.configure("consul", &own_chain()).await.unwrap();
    stage.wait_moved().await;
    let before = HeldPeer::take(&stage.ca, "held").await.unwrap();
    before.call(stage.db.public()).await.unwrap();
    let roots = stage.ca.roots().await.unwrap();

    let refused = stage
        .ca
        .configure("consul", &own_chain())
        .await
        .unwrap_err();
    let consuls = "The current CA Provider does not support cross-signing.";
    assert!(refused.to_string().contains(consuls), "{refused}");
    assert_eq!(stage.ca.roots().await.unwrap().ids(), roots.ids());

    let load = stage.load(20);
    stage.ca.force("consul", &own_chain()).await.unwrap();
    stage.wait_moved().await;
    let (mut called, mut failed) = (0, 0);
    for _ in 0..20 {
        called += 1;
        failed += usize::from(before.call(stage.db.public()).await.is_err());
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    let tally = stopped(load);
    println!("with a bundle from before: {failed} of {called} calls failed; else {tally}");
    assert_eq!(failed, called);
}

/// Options for a root that is kept elsewhere and an intermediate that signs here.
fn own_chain() -> serde_json::Value {
    let own = OperatorCa::new().unwrap();
    json!({"RootCert": own.chain_pem(), "PrivateKey": own.key_pem()})
}
