//! A mesh moves from the built-in CA to Vault (OpenBao 2.7.2) and back under traffic, and
//! nothing is lost nor left behind there. While Vault signs it is sealed, restarted and robbed
//! of a right: what is there goes on, signing fails with one clear error and recovers by itself.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::time::{Duration, Instant};

use chancery_providers::{VaultRights, vault_policy};
use chancery_tests::{
    Agent, AgentHome, App, Ca, Canary, HeldPeer, OpenBao, Pair, ProxyKind, Traffic, call_through,
    eventually, free_port,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// Lives so short that a whole retirement fits in a test.
const SHORT: &str = r#"ca_config {
    skip_validate = true
    leaf_cert_ttl = "20s"
    bundle_max_age = "5s"
    csr_max_per_second = 0
}"#;

/// The options that both providers share, as in the file.
fn shared() -> Value {
    json!({
        "SkipValidate": true,
        "LeafCertTTL": "20s",
        "BundleMaxAge": "5s",
        "CSRMaxPerSecond": 0,
    })
}

fn vault(server: &OpenBao, token: &str) -> Value {
    let mut options = shared();
    options["Address"] = json!(server.url());
    options["Token"] = json!(token);
    options["RootPKIPath"] = json!("live-root");
    options["IntermediatePKIPath"] = json!("live-intermediate");
    options
}

struct Stage {
    server: OpenBao,
    token: String,
    home: AgentHome,
    agent: Agent,
    ca: Ca,
    pair: Pair,
    _app: App,
}

impl Stage {
    /// A durable agent that logs everything, two of our proxies, and a Vault in which it has the
    /// documented rights.
    async fn set(server: OpenBao) -> Self {
        let token = server
            .token("chancery", &policy(), json!({}))
            .await
            .unwrap();
        let home = AgentHome::with_connect(SHORT, "log_level = \"trace\"").unwrap();
        let agent = Agent::start_at(&home, free_port().unwrap()).await.unwrap();
        let app = App::echo().await.unwrap();
        let pair = Pair::start(&agent, ProxyKind::Chancery, "v", app.address(), 1)
            .await
            .unwrap();
        Self {
            server,
            token,
            ca: Ca::new(agent.api()),
            home,
            agent,
            pair,
            _app: app,
        }
    }

    fn vault(&self) -> Value {
        vault(&self.server, &self.token)
    }

    async fn mounts(&self) -> Vec<String> {
        let mounts = self.server.get("sys/mounts").await.unwrap();
        let names = mounts["data"].as_object().unwrap().keys();
        names
            .filter(|name| name.starts_with("live-"))
            .cloned()
            .collect()
    }
}

fn policy() -> String {
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root: true,
    };
    vault_policy("live-root", "live-intermediate", rights)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_vault_and_back_under_traffic_loses_nothing_and_leaves_only_what_is_trusted() {
    let stage = Stage::set(OpenBao::start().await.unwrap()).await;
    let load = Traffic::start(stage.pair.entry(), 20, 5).unwrap();
    let built_in = stage.ca.roots().await.unwrap();

    let before = HeldPeer::take(&stage.ca, "held").await.unwrap();
    let taken = Instant::now();
    stage.ca.configure("vault", &stage.vault()).await.unwrap();
    let leaf = stage.ca.leaf("fresh").await.unwrap();
    assert_eq!(leaf.length(), 3, "{}", leaf.chain_pem);
    if taken.elapsed() < Duration::from_secs(5) {
        leaf.verify(before.bundle()).unwrap();
    }
    assert_ne!(stage.ca.roots().await.unwrap().active, built_in.active);
    stage.ca.wait_moved("v-db").await.unwrap();
    let shown = stage.ca.get("/v1/connect/ca/configuration").await.unwrap();
    assert_eq!(shown["Provider"], "vault");
    assert!(shown["Config"].get("Token").is_none(), "{shown}");

    // Nothing that is issued stays there.
    let kept = stage.server.list("live-intermediate/certs").await.unwrap();
    for number in 0..30 {
        stage.ca.leaf(&format!("one-of-{number}")).await.unwrap();
    }
    let still = stage.server.list("live-intermediate/certs").await.unwrap();
    assert_eq!(kept, still);

    let before = HeldPeer::take(&stage.ca, "held").await.unwrap();
    let taken = Instant::now();
    stage.ca.configure("consul", &shared()).await.unwrap();
    let leaf = stage.ca.leaf("fresh-again").await.unwrap();
    if taken.elapsed() < Duration::from_secs(5) {
        leaf.verify(before.bundle()).unwrap();
    }
    stage.ca.wait_moved("v-db").await.unwrap();
    let left = Instant::now();
    // Its root goes when no leaf of it can be alive, and the agent has watched its clock for an hour.
    eventually(Duration::from_secs(60), async || {
        let mounts = stage.mounts().await;
        (mounts == ["live-root/"]).then_some(()).ok_or(mounts)
    })
    .await
    .unwrap();
    println!(
        "Vault signed nothing any more {:?} after leaving it",
        left.elapsed()
    );
    call_through(stage.pair.entry()).await.unwrap();
    let tally = load.stop();
    println!("{tally}");
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 100, "{tally}");

    // The token was in the body of a request, and nowhere else since.
    let canary = Canary::text("token", &stage.token);
    let (files, looked) = canary.files_below(&stage.home.data_dir()).unwrap();
    assert_eq!(files, Vec::<std::path::PathBuf>::new(), "of {looked}");
    assert!(!canary.is_in(stage.agent.process().output().as_bytes()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vault_in_trouble_stops_signing_and_nothing_else() {
    let mut stage = Stage::set(OpenBao::start_durable().await.unwrap()).await;
    let mut options = stage.vault();
    options["LeafCertTTL"] = json!("1h");
    stage.ca.configure("vault", &options).await.unwrap();
    stage.ca.wait_moved("v-db").await.unwrap();
    let load = Traffic::start(stage.pair.entry(), 20, 5).unwrap();
    let held = stage.ca.leaf("held").await.unwrap();
    let mut refused = Vec::new();

    stage.server.seal().await.unwrap();
    refused.push(stage.ca.leaf("while-sealed").await.unwrap_err().to_string());
    // A leaf that is there is served.
    assert_eq!(stage.ca.leaf("held").await.unwrap().serial, held.serial);
    stage.server.unseal().await.unwrap();
    let recovers = async |name: &str| {
        let ca = stage.ca.clone();
        let begin = Instant::now();
        eventually(SOON, async || ca.leaf(name).await)
            .await
            .unwrap();
        println!("{name}: signed again after {:?}", begin.elapsed());
    };
    recovers("while-sealed").await;

    let without: Vec<String> = policy()
        .lines()
        .filter(|line| !line.contains("sign/leaf-cert"))
        .map(str::to_owned)
        .collect();
    let path = "sys/policies/acl/chancery";
    let body = json!({"policy": without.join("\n")});
    stage.server.post(path, &body).await.unwrap();
    let forbidden = stage.ca.leaf("while-forbidden").await;
    let forbidden = forbidden.unwrap_err().to_string();
    assert!(forbidden.contains("sign/leaf-cert"), "{forbidden}");
    assert!(forbidden.contains("update"), "{forbidden}");
    assert!(forbidden.len() < 2000, "{forbidden}");
    refused.push(forbidden);
    let body = json!({"policy": policy()});
    stage.server.post(path, &body).await.unwrap();
    recovers("while-forbidden").await;

    stage.server.stop();
    refused.push(stage.ca.leaf("while-gone").await.unwrap_err().to_string());
    assert_eq!(stage.ca.leaf("held").await.unwrap().serial, held.serial);
    for _ in 0..5 {
        call_through(stage.pair.entry()).await.unwrap();
    }
    stage.server.start_again().await.unwrap();
    stage.server.unseal().await.unwrap();
    let ca = stage.ca.clone();
    eventually(SOON, async || ca.leaf("while-gone").await)
        .await
        .unwrap();

    let tally = load.stop();
    println!("{tally}\n{}", refused.join("\n"));
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    let canary = Canary::text("token", &stage.token);
    assert!(!refused.iter().any(|text| canary.is_in(text.as_bytes())));
    assert!(!canary.is_in(stage.agent.process().output().as_bytes()));
}
