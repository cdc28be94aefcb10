//! A plugin signs for a mesh: the CA moves to it and back under traffic and nobody notices; its
//! file is replaced while leafs are signed, by a good one and by bad ones, and no request fails.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chancery_tests::{
    Agent, AgentHome, App, Ca, OpenBao, ProxyKind, Service, Traffic, eventually, free_port, guest,
    hostile_guest, openbao_role,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(60);

/// An agent with a folder of plugins, and `local-ca` in it.
struct Stage {
    plugins: tempfile::TempDir,
    agent: Agent,
    _home: AgentHome,
}

impl Stage {
    async fn set(connect: &str) -> Self {
        Self::with("local-ca", connect).await
    }

    async fn with(package: &str, connect: &str) -> Self {
        let plugins = tempfile::tempdir().unwrap();
        let there = plugins.path().join(format!("{package}.wasm"));
        std::fs::copy(guest(package).await, there).unwrap();
        let folder = format!("plugin_dir = {:?}", plugins.path());
        let home = AgentHome::with_connect(connect, &folder).unwrap();
        let agent = Agent::start_at(&home, free_port().unwrap()).await.unwrap();
        Self {
            plugins,
            agent,
            _home: home,
        }
    }

    /// Puts another file in the plugin's place, whole at once.
    fn replace(&self, bytes: &[u8]) {
        let next = self.plugins.path().join("next");
        std::fs::write(&next, bytes).unwrap();
        std::fs::rename(next, file(self.plugins.path())).unwrap();
    }

    async fn status(&self) -> Value {
        self.agent.get("/v1/chancery/ca/status").await.unwrap()
    }

    /// Waits until the status says this.
    async fn wait_told(&self, what: &str) {
        let told = eventually(SOON, async || {
            let status = self.status().await.to_string();
            if status.contains(what) {
                return Ok(());
            }
            Err(status)
        });
        told.await.unwrap();
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("local-ca.wasm")
}

/// The same component with a custom section more: it does the same and has another hash.
fn remarked(component: &[u8], remark: u8) -> Vec<u8> {
    let mut bytes = component.to_vec();
    bytes.extend([0, 4, 2, b'r', b'm', remark]);
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_plugin_and_back_under_traffic_nobody_notices() {
    let stage = Stage::set("").await;
    let local_ca = || ("wasm", json!({"plugin": "local-ca"}));
    let built_in = ("consul", json!({}));
    moves_unnoticed(&stage, [local_ca(), built_in, local_ca()]).await;
}

/// From and to the built-in CA and Vault, to a plugin that signs through OpenBao.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_a_ca_elsewhere_and_back_under_traffic_nobody_notices() {
    let stage = Stage::with("remote-ca", "").await;
    let server = OpenBao::start().await.unwrap();
    openbao_role(&server, "mesh").await.unwrap();
    let remote_ca = || {
        let config = json!({
            "address": server.url(),
            "token": server.root_token(),
            "mount": "mesh",
        });
        let allowed = [server.address().to_string()];
        // This machine may be busy.
        let options = json!({
            "plugin": "remote-ca",
            "allow_http": allowed,
            "timeout": "30s",
            "config": config,
        });
        ("wasm", options)
    };
    let vault = json!({
        "Address": server.url(),
        "Token": server.root_token(),
        "RootPKIPath": "live-root",
        "IntermediatePKIPath": "live-intermediate",
    });
    let built_in = ("consul", json!({}));
    let moves = [
        remote_ca(),
        built_in,
        remote_ca(),
        ("vault", vault),
        remote_ca(),
    ];
    moves_unnoticed(&stage, moves).await;
}

/// Every connection succeeds, and each new leaf verifies against every bundle there has been.
async fn moves_unnoticed(stage: &Stage, moves: impl IntoIterator<Item = (&str, Value)>) {
    let ca = Ca::new(stage.agent.api());
    let app = App::echo().await.unwrap();
    let db = Service::new("db", app.address()).unwrap();
    let web = Service::new("web", app.address()).unwrap();
    let web = web.calling("db").unwrap();
    let kind = ProxyKind::Chancery;
    let _db = db.start_quietly(&stage.agent, kind, 1).await.unwrap();
    let _web = web.start_quietly(&stage.agent, kind, 1).await.unwrap();
    let entry = web.upstream("db");
    let call = async || {
        let mut stream = TcpStream::connect(entry).await?;
        stream.write_all(b"?").await?;
        stream.read_exact(&mut [0]).await
    };
    eventually(SOON, call).await.unwrap();
    let load = Traffic::start(entry, 50, 5).unwrap();
    let mut roots = vec![ca.roots().await.unwrap()];
    for (provider, options) in moves {
        ca.configure(provider, &options).await.unwrap();
        let now = ca.roots().await.unwrap();
        let leaf = ca.leaf(&format!("after-{}", roots.len())).await.unwrap();
        for before in roots.iter().chain([&now]) {
            leaf.verify(&before.bundle().unwrap()).unwrap();
        }
        assert_ne!(now.active, roots.last().unwrap().active);
        roots.push(now);
    }
    let tally = load.stop();
    println!("{tally}");
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 20 && tally.beats > 20, "{tally}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_is_taken_while_leafs_are_signed_and_a_bad_one_is_not() {
    let connect = "ca_provider = \"wasm\"\n\
                   ca_config { plugin = \"local-ca\"  csr_max_per_second = 0 }";
    let stage = Stage::set(connect).await;
    let ca = Ca::new(stage.agent.api());
    let root = ca.roots().await.unwrap().active;
    let good = std::fs::read(file(stage.plugins.path())).unwrap();
    let first = stage.status().await["plugin"]["sha256"].clone();

    let over = Arc::new(AtomicBool::new(false));
    let signed = Arc::new(AtomicUsize::new(0));
    let mut signing = JoinSet::new();
    for worker in 0..4 {
        let (ca, over, signed) = (ca.clone(), Arc::clone(&over), Arc::clone(&signed));
        signing.spawn(async move {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                ca.leaf(&format!("s-{worker}-{number}")).await.unwrap();
                signed.fetch_add(1, Ordering::Relaxed);
                number += 1;
            }
        });
    }

    stage.replace(&good[..good.len() / 2]);
    stage.wait_told("it ends too early").await;
    stage.replace(&std::fs::read(hostile_guest("honest").await).unwrap());
    stage.wait_told("hostile").await;
    assert_eq!(stage.status().await["plugin"]["sha256"], first);
    for remark in 0..3 {
        let before = stage.status().await["plugin"]["sha256"].clone();
        stage.replace(&remarked(&good, remark));
        let taken = eventually(SOON, async || {
            let status = stage.status().await;
            if status["plugin"]["sha256"] != before {
                return Ok(());
            }
            Err(status)
        });
        taken.await.unwrap();
        let since = signed.load(Ordering::Relaxed);
        eventually(SOON, async || {
            (signed.load(Ordering::Relaxed) > since + 10)
                .then_some(())
                .ok_or("nothing is signed")
        })
        .await
        .unwrap();
    }
    over.store(true, Ordering::Relaxed);
    while let Some(worker) = signing.join_next().await {
        worker.unwrap();
    }
    assert_eq!(ca.roots().await.unwrap().active, root);
}
