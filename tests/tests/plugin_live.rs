//! A plugin signs for a mesh: the CA moves to it and away from it under traffic, from and to the
//! built-in CA and Vault (OpenBao 2.7.2), and nobody notices; its file is replaced while leafs are
//! signed, by a good one and by bad ones, and no request fails.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use chancery_providers::{VaultRights, vault_policy};
use chancery_tests::{
    Agent, AgentHome, App, Ca, OpenBao, Pair, ProxyKind, Traffic, call_through, eventually,
    free_port, guest, hostile_guest, js_guest, openbao_role,
};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(60);

/// An agent with a folder of plugins, and one in it.
struct Stage {
    plugins: tempfile::TempDir,
    agent: Agent,
    _home: AgentHome,
}

impl Stage {
    async fn set(component: &Path, name: &str, connect: &str) -> Self {
        let plugins = tempfile::tempdir().unwrap();
        let file = plugins.path().join(format!("{name}.wasm"));
        std::fs::copy(component, file).unwrap();
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
async fn from_and_to_every_other_ca_under_traffic_nobody_notices() {
    let plugin = ("wasm", json!({"plugin": "local-ca"}));
    let server = OpenBao::start().await.unwrap();
    comes_and_goes("local-ca", &guest("local-ca").await, plugin, &server).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_and_to_every_other_ca_with_one_in_javascript_nobody_notices() {
    let plugin = ("wasm", json!({"plugin": "local-ca-js"}));
    let server = OpenBao::start().await.unwrap();
    comes_and_goes("local-ca-js", &js_guest().await, plugin, &server).await;
}

/// The plugin signs through the same server as Vault's provider, in a mount of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_and_to_every_other_ca_with_one_elsewhere_nobody_notices() {
    let server = OpenBao::start().await.unwrap();
    openbao_role(&server, "mesh").await.unwrap();
    let options = json!({
        "plugin": "remote-ca",
        "allow_http": [server.address().to_string()],
        // This machine may be busy.
        "timeout": "30s",
        "config": {
            "address": server.url(),
            "token": server.root_token(),
            "mount": "mesh",
        },
    });
    let plugin = ("wasm", options);
    comes_and_goes("remote-ca", &guest("remote-ca").await, plugin, &server).await;
}

/// From the built-in CA to the plugin, to Vault, to the plugin, to the built-in CA.
async fn comes_and_goes(name: &str, component: &Path, plugin: (&str, Value), server: &OpenBao) {
    let stage = Stage::set(component, name, "").await;
    let ca = Ca::new(stage.agent.api());
    let app = App::echo().await.unwrap();
    let kind = ProxyKind::Chancery;
    let pair = Pair::start(&stage.agent, kind, "p", app.address(), 1);
    let pair = pair.await.unwrap();
    let vault = ("vault", vault(server).await);
    let built_in = ("consul", json!({}));
    let load = Traffic::start(pair.entry(), 200, 5).unwrap();
    let mut before = vec![ca.roots().await.unwrap()];
    for (provider, options) in [&plugin, &vault, &plugin, &built_in] {
        ca.configure(provider, options).await.unwrap();
        let now = ca.roots().await.unwrap();
        let leaf = ca.leaf(&format!("after-{}", before.len())).await.unwrap();
        for roots in before.iter().chain([&now]) {
            leaf.verify(&roots.bundle().unwrap()).unwrap();
        }
        wait_moved(&ca).await;
        for _ in 0..20 {
            call_through(pair.entry()).await.unwrap();
        }
        before.push(now);
    }
    let tally = load.stop();
    println!("{name}: {tally}");
    let mut signed: Vec<_> = before.iter().map(|roots| &roots.active).collect();
    signed.dedup();
    assert_eq!(signed.len(), 5);
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 20 && tally.beats > 5, "{tally}");
}

/// The options of a Vault in which the agent has the documented rights.
async fn vault(server: &OpenBao) -> Value {
    let (root, intermediate) = ("live-root", "live-intermediate");
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root: true,
    };
    let policy = vault_policy(root, intermediate, rights);
    let token = server.token("chancery", &policy, json!({})).await.unwrap();
    json!({
        "Address": server.url(),
        "Token": token,
        "RootPKIPath": root,
        "IntermediatePKIPath": intermediate,
    })
}

/// Waits until both sidecars show leafs that stand on the active root alone.
async fn wait_moved(ca: &Ca) {
    for service in ["p-web", "p-db"] {
        // Whoever asks for one that stands on an older root has it made anew.
        ca.leaf(service).await.unwrap();
    }
    ca.wait_moved("p-db").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replaced_file_is_taken_while_leafs_are_signed_and_a_bad_one_is_not() {
    let connect = "ca_provider = \"wasm\"\n\
                   ca_config { plugin = \"local-ca\"  csr_max_per_second = 0 }";
    let stage = Stage::set(&guest("local-ca").await, "local-ca", connect).await;
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
