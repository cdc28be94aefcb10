//! An agent is killed with SIGKILL at ten random moments while its CA moves between the built-in
//! one and Vault (OpenBao 2.7.2), five in each of two lives. Each next start finishes the change
//! or gives it up; every leaf verifies by every list of roots that was handed out; and nothing is
//! left in Vault that nobody trusts.
//!
//! `CHANCERY_KILL_SEED` chooses other moments.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_core::certificates_from_pem;
use chancery_providers::{VaultRights, vault_policy};
use chancery_tests::{
    Agent, AgentHome, Ca, CaRoots, KillMoments, OpenBao, Sent, eventually, free_port,
    killed_while_changing,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// How long leafs live and how old bundles may be: longer than a test, so that every pair counts.
const LONG: Duration = Duration::from_secs(600);

/// More, and the path to the oldest bundles would be too long: they count for so long.
const KILLS: usize = 5;

const ROOTS: &str = "killed-root";
const INTERMEDIATES: &str = "killed-intermediate";

/// An agent, the Vault that it moves to and from, and all that was handed out.
struct Life {
    server: OpenBao,
    token: String,
    home: AgentHome,
    port: u16,
    ca: Ca,
    leafs: Vec<(Sent, Instant)>,
    /// By the ids in them, and when one was last served.
    bundles: BTreeMap<Vec<String>, (Arc<CaRoots>, Instant)>,
}

impl Life {
    /// The life of an agent that begins with this provider.
    async fn begin(provider: &str) -> (Self, Agent) {
        let server = OpenBao::start().await.unwrap();
        let rights = VaultRights {
            mounts: true,
            roots: true,
            any_root: true,
        };
        let policy = vault_policy(ROOTS, INTERMEDIATES, rights);
        let token = server.token("chancery", &policy, json!({})).await.unwrap();
        let options: String = options(provider, &server, &token)
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| format!("{name} = {value}\n"))
            .collect();
        let connect = format!("ca_provider = {provider:?}\nca_config {{\n{options}}}");
        let home = AgentHome::with_connect(&connect, "").unwrap();
        let port = free_port().unwrap();
        let agent = Agent::start_at(&home, port).await.unwrap();
        let life = Self {
            server,
            token,
            home,
            port,
            ca: Ca::new(agent.api()),
            leafs: Vec::new(),
            bundles: BTreeMap::new(),
        };
        (life, agent)
    }

    async fn move_to(&self, provider: &str) {
        let options = options(provider, &self.server, &self.token);
        self.ca.configure(provider, &options).await.unwrap();
    }

    /// Orders a move and kills the agent; the next one either has finished it when it comes to
    /// rest, or knows nothing of it.
    async fn killed_moving_to(&mut self, provider: &str, agent: Agent, after: Duration) -> Agent {
        let order = {
            let ca = self.ca.clone();
            let options = options(provider, &self.server, &self.token);
            let provider = provider.to_owned();
            async move { ca.configure(&provider, &options).await }
        };
        let issued = killed_while_changing(agent, &self.ca, after, order).await;
        for one in issued.unwrap() {
            self.handed_out(&one.bundle, one.bundle_taken);
            self.leafs.push((one.leaf, one.bundle_taken));
        }
        Agent::start_at(&self.home, self.port).await.unwrap()
    }

    fn handed_out(&mut self, bundle: &Arc<CaRoots>, taken: Instant) {
        let ids = bundle.ids().into_iter().map(str::to_owned).collect();
        self.bundles.insert(ids, (Arc::clone(bundle), taken));
    }

    /// Waits until no change is under way; the provider that signs then.
    async fn at_rest(&self) -> String {
        let status = eventually(SOON, async || {
            let status = self.ca.status().await;
            let status = status.map_err(|error| error.to_string())?;
            match (&status["rotation"], status["state"].as_str()) {
                (Value::Null, Some("serving")) => Ok(status),
                _ => Err(status.to_string()),
            }
        });
        status.await.unwrap()["provider"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// A new leaf is issued, and every leaf verifies by every list that may be in use.
    async fn check(&mut self, round: &str) {
        let taken = Instant::now();
        let now = Arc::new(self.ca.roots().await.unwrap());
        assert!(now.ids().contains(&now.active.as_str()), "{round}");
        self.handed_out(&now, taken);
        let fresh = self.ca.leaf(&format!("fresh-{}", self.leafs.len())).await;
        self.leafs.push((fresh.unwrap(), taken));
        for (bundle, taken) in self.bundles.values() {
            let trusted = bundle.bundle().unwrap();
            for (leaf, signed) in &self.leafs {
                let verified = leaf.verify(&trusted);
                if taken.elapsed() < LONG && signed.elapsed() < LONG {
                    verified.unwrap_or_else(|error| {
                        panic!("{round}: {} by {:?}: {error}", leaf.serial, bundle.ids())
                    });
                }
            }
        }
    }

    /// What in a mount can sign, as certificates, or why the mount is not in order.
    async fn issuers(&self, mount: &str) -> Result<Vec<Vec<u8>>, String> {
        let mut found = Vec::new();
        for id in self.list(mount, "issuers").await? {
            let path = format!("{mount}/issuer/{id}");
            let issuer = self.server.get(&path).await;
            let issuer = issuer.map_err(|error| error.to_string())?;
            let pem = issuer["data"]["certificate"].as_str().unwrap_or_default();
            if issuer["data"]["key_id"]
                .as_str()
                .is_some_and(|id| !id.is_empty())
            {
                found.extend(certificates_from_pem(pem.as_bytes()).unwrap());
            }
        }
        let keys = self.list(mount, "keys").await?;
        match keys.len() == found.len() {
            true => Ok(found),
            false => Err(format!("{mount}: {} issuers, keys {keys:?}", found.len())),
        }
    }

    async fn list(&self, mount: &str, what: &str) -> Result<Vec<String>, String> {
        let listed = self.server.list(&format!("{mount}/{what}")).await;
        listed.map_err(|error| error.to_string())
    }

    /// Nothing is in Vault but roots that are trusted and, if it signs, the one intermediate that
    /// signs.
    async fn check_left(&self, signs: bool) -> Result<(), String> {
        let mounts = self.server.get("sys/mounts").await;
        let mounts = mounts.map_err(|error| error.to_string())?;
        let mounts = mounts["data"].as_object().unwrap();
        let there = mounts.contains_key(&format!("{INTERMEDIATES}/"));
        if there != signs {
            return Err(format!("{INTERMEDIATES} is there: {there}"));
        }
        if signs {
            let issuers = self.issuers(INTERMEDIATES).await?;
            if issuers.len() != 1 {
                return Err(format!("{} intermediates can sign", issuers.len()));
            }
        }
        let roots = self.ca.roots().await.unwrap();
        let trusted: Vec<_> = roots
            .roots
            .iter()
            .flat_map(|(_, pem)| certificates_from_pem(pem.as_bytes()).unwrap())
            .collect();
        let roots = self.issuers(ROOTS).await?;
        match roots.iter().all(|root| trusted.contains(root)) {
            true => Ok(()),
            false => Err(format!("of {} roots not all are trusted", roots.len())),
        }
    }
}

fn options(provider: &str, server: &OpenBao, token: &str) -> Value {
    let mut options = json!({
        "SkipValidate": true,
        "LeafCertTTL": format!("{}s", LONG.as_secs()),
        "BundleMaxAge": format!("{}s", LONG.as_secs()),
        "CSRMaxPerSecond": 0,
    });
    if provider == "vault" {
        options["Address"] = json!(server.url());
        options["Token"] = json!(token);
        options["RootPKIPath"] = json!(ROOTS);
        options["IntermediatePKIPath"] = json!(INTERMEDIATES);
    }
    options
}

/// A life that begins with `first`: one move there and one back, whose time is taken, then kills
/// on the way.
async fn live(first: &str, second: &str) {
    let (mut life, mut agent) = Life::begin(first).await;
    let mut moments = KillMoments::from_environment();
    let mut ways = Vec::new();
    for target in [second, first] {
        life.check("at first").await;
        let begin = Instant::now();
        life.move_to(target).await;
        ways.push((target, begin.elapsed()));
    }
    let (mut finished, mut unheard) = (0, 0);
    for (round, (target, takes)) in ways.iter().cycle().take(KILLS).enumerate() {
        let after = moments.within(*takes);
        let name = format!("round {round}, killed after {after:?} of {takes:?} to {target}");
        agent = life.killed_moving_to(target, agent, after).await;
        life.check(&name).await;
        match life.at_rest().await == *target {
            true => finished += 1,
            false => unheard += 1,
        }
        life.check(&name).await;
        life.move_to(target).await;
        life.check(&name).await;
    }
    let signs = life.at_rest().await == "vault";
    let begin = Instant::now();
    eventually(SOON, async || life.check_left(signs).await)
        .await
        .unwrap();
    println!(
        "moves take {ways:?}; after {KILLS} kills {finished} were finished, {unheard} never \
         began; {} leafs by {} lists; nothing was left in Vault after {:?}",
        life.leafs.len(),
        life.bundles.len(),
        begin.elapsed()
    );
    agent.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_built_in_ca_five_kills_leave_the_mesh_whole_and_vault_clean() {
    live("consul", "vault").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_vault_five_kills_leave_the_mesh_whole_and_vault_clean() {
    live("vault", "consul").await;
}
