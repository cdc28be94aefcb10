//! A mesh leaves a Vault (OpenBao 2.7.2) whose token has every right but the one that takes
//! `sudo`: for a Vault in another namespace, and from there for the built-in CA. The next CA makes
//! a request for its root, the Vault before signs it, and nobody is left behind. A CA that makes no
//! request is refused with the line to add.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_providers::{VaultRights, vault_policy};
use chancery_tests::{
    Agent, AgentHome, App, Ca, OpenBao, OperatorCa, Pair, ProxyKind, Traffic, call_through,
    free_port,
};
use serde_json::{Value, json};

const SHORT: &str = r#"ca_config {
    skip_validate = true
    leaf_cert_ttl = "30s"
    csr_max_per_second = 0
}"#;

/// Bundles are good for longer than a test takes, so that every link is needed to its end.
fn shared() -> Value {
    json!({
        "SkipValidate": true,
        "LeafCertTTL": "30s",
        "CSRMaxPerSecond": 0,
    })
}

fn policy(roots: bool) -> String {
    let rights = VaultRights {
        mounts: true,
        roots,
        any_root: false,
    };
    let policy = vault_policy("live-root", "live-intermediate", rights);
    assert!(!policy.contains("sudo"), "{policy}");
    policy
}

/// A token with that policy in a namespace of its own, `""` for the first.
async fn token_in(server: &OpenBao, namespace: &str, policy: &str) -> String {
    if !namespace.is_empty() {
        let path = format!("sys/namespaces/{namespace}");
        server.post(&path, &json!({})).await.unwrap();
    }
    let below = |path: &str| format!("{namespace}/{path}").trim_matches('/').to_owned();
    let body = json!({ "policy": policy });
    let path = below("sys/policies/acl/chancery");
    server.post(&path, &body).await.unwrap();
    let body = json!({ "policies": ["chancery", "default"] });
    let made = server.post(&below("auth/token/create"), &body).await;
    let made = made.unwrap();
    made["auth"]["client_token"].as_str().unwrap().to_owned()
}

fn vault(server: &OpenBao, namespace: &str, token: &str) -> Value {
    let mut options = shared();
    options["Address"] = json!(server.url());
    options["Namespace"] = json!(namespace);
    options["Token"] = json!(token);
    options["RootPKIPath"] = json!("live-root");
    options["IntermediatePKIPath"] = json!("live-intermediate");
    options
}

struct Mesh {
    ca: Ca,
    pair: Pair,
    _agent: Agent,
    _home: AgentHome,
    _app: App,
}

impl Mesh {
    async fn start() -> Self {
        let home = AgentHome::with_connect(SHORT, "").unwrap();
        let agent = Agent::start_at(&home, free_port().unwrap()).await.unwrap();
        let app = App::echo().await.unwrap();
        let pair = Pair::start(&agent, ProxyKind::Chancery, "v", app.address(), 1)
            .await
            .unwrap();
        Self {
            ca: Ca::new(agent.api()),
            pair,
            _agent: agent,
            _home: home,
            _app: app,
        }
    }

    /// Changes the CA; whoever has the roots of before, and nothing newer, takes leafs of now.
    async fn moves_to(&self, provider: &str, options: &Value) {
        let before = self.ca.roots().await.unwrap();
        self.ca.configure(provider, options).await.unwrap();
        let after = self.ca.roots().await.unwrap();
        assert_ne!(after.active, before.active);
        let leaf = self.ca.leaf("fresh").await.unwrap();
        leaf.verify(&before.bundle().unwrap()).unwrap();
        leaf.verify(&after.bundle().unwrap()).unwrap();
        // The proxies have moved too.
        self.ca.wait_moved("v-db").await.unwrap();
        for _ in 0..10 {
            call_through(self.pair.entry()).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_sudo_a_mesh_leaves_one_vault_for_another_and_that_for_the_built_in_ca() {
    let server = OpenBao::start().await.unwrap();
    let mesh = Mesh::start().await;
    let load = Traffic::start(mesh.pair.entry(), 20, 5).unwrap();
    for namespace in ["", "second"] {
        let token = token_in(&server, namespace, &policy(true)).await;
        mesh.moves_to("vault", &vault(&server, namespace, &token))
            .await;
        let plan = mesh.ca.plan().await.unwrap();
        assert_eq!(plan["cross_signed"], json!(true), "{plan}");
    }
    let mut built_in = shared();
    built_in["PrivateKeyType"] = json!("rsa");
    built_in["PrivateKeyBits"] = json!(2048);
    mesh.moves_to("consul", &built_in).await;
    let tally = load.stop();
    println!("{tally}");
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 0, "{tally}");
}

/// A company's root, a moment old, which Chancery may use and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrators_root_signs_the_next_one_from_its_request_or_not_at_all() {
    let server = OpenBao::start().await.unwrap();
    let mesh = Mesh::start().await;
    let body = json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } });
    server.post("sys/mounts/live-root", &body).await.unwrap();
    let body = json!({ "common_name": "Acme Root", "key_type": "ec", "ttl": "80000h" });
    let path = "live-root/root/generate/internal";
    server.post(path, &body).await.unwrap();
    let token = token_in(&server, "", &policy(false)).await;
    mesh.moves_to("vault", &vault(&server, "", &token)).await;

    // Another root would be made by this provider, whose token may not make requests either.
    let plan = mesh.ca.plan().await.unwrap();
    let refused = plan["refused"].as_str().unwrap();
    assert!(refused.contains("only from a request"), "{plan}");

    let own = OperatorCa::new().unwrap();
    let mut chain = shared();
    chain["RootCert"] = json!(own.chain_pem());
    chain["PrivateKey"] = json!(own.key_pem());
    let before = mesh.ca.roots().await.unwrap();
    let refused = mesh.ca.configure("consul", &chain).await.unwrap_err();
    let refused = refused.to_string();
    for said in [
        "without a request made with its key",
        "live-root/issuer/+/sign-self-issued",
        "sudo",
    ] {
        assert!(refused.contains(said), "{refused}");
    }
    assert_eq!(mesh.ca.roots().await.unwrap().ids(), before.ids());

    let mut built_in = shared();
    built_in["PrivateKeyBits"] = json!(384);
    mesh.moves_to("consul", &built_in).await;
}
