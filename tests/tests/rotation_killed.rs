//! An agent is killed with SIGKILL at ten random moments of changes of its CA, on one data
//! directory, under traffic. Each next start finishes the change or gives it up, and the next
//! change goes through; no leaf was issued that the bundles before and after do not cover; no
//! root appears that nobody ordered; the proxies carry on.
//!
//! `CHANCERY_ROTATION_KILLS` and `CHANCERY_KILL_SEED` choose more kills and another seed.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentHome, App, Ca, CaRoots, Pair, ProxyKind, Sent, Traffic, eventually, free_port,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// How old a bundle may be: until then nobody may notice a change.
const BUNDLE_AGE: Duration = Duration::from_secs(2);

/// A path has room for five new keys within that time.
const ROUND: Duration = Duration::from_millis(500);

/// xorshift64*: the seed is printed, so a failure can be had again.
struct Random(u64);

impl Random {
    /// At least 0, less than 1.
    fn fraction(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// A leaf, and the roots that were served shortly before somebody asked for it.
struct Issued {
    leaf: Sent,
    bundle: Arc<CaRoots>,
    bundle_taken: Instant,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_ca_survives_kills_at_ten_random_moments() {
    let kills = from_environment("CHANCERY_ROTATION_KILLS").unwrap_or(10);
    let seed = from_environment("CHANCERY_KILL_SEED")
        .unwrap_or_else(|| u64::from(std::process::id()) << 20 | 0xC0FF_EE00);
    println!("CHANCERY_KILL_SEED={seed}");
    let mut random = Random(seed);
    let home = AgentHome::with_connect(&settings(), "").unwrap();
    let port = free_port().unwrap();
    let mut agent = Agent::start_at(&home, port).await.unwrap();
    let app = App::echo().await.unwrap();
    let pair = Pair::start(&agent, ProxyKind::Chancery, "kill", app.address(), 1)
        .await
        .unwrap();
    let load = Traffic::start(pair.entry(), 50, 5).unwrap();

    let ca = Ca::new(agent.api());
    let begin = Instant::now();
    ca.rotate().await.unwrap();
    let takes = begin.elapsed();
    let (mut finished, mut given_up) = (0, 0);
    for round in 0..kills {
        let name = format!("seed {seed} round {round}");
        let begin = Instant::now();
        let before = ca.roots().await.unwrap();
        let after = takes.mul_f64(1.2 * random.fraction());
        let issued = killed_while_changing(agent, &ca, after).await;
        agent = Agent::start_at(&home, port).await.unwrap();
        let change = json!(format!("{}s", 20 + round % 2));
        eventually(SOON, async || {
            ca.configure("consul", &options(&change)).await
        })
        .await
        .unwrap_or_else(|error| panic!("{name}: no further change is possible: {error}"));
        let now = ca.roots().await.unwrap();
        assert_roots(&before, &now, &name);
        if now.active == before.active {
            given_up += 1;
        } else {
            finished += 1;
        }
        assert_covered(&issued, &now, &name);
        for service in ["kill-web", "kill-db"] {
            let leaf = ca.leaf(service).await.unwrap();
            leaf.verify(&now.bundle().unwrap()).unwrap();
        }
        tokio::time::sleep(ROUND.saturating_sub(begin.elapsed())).await;
    }
    let tally = load.stop();
    println!(
        "a change takes {takes:?}; after {kills} kills {finished} changes were finished, \
         {given_up} given up; {tally}"
    );
    assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");
    assert!(tally.opened > 50, "{tally}");
    let roots = ca.roots().await.unwrap().roots.len();
    assert!(
        roots <= 2 + finished,
        "{roots} roots after {finished} changes"
    );
}

fn from_environment(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn settings() -> String {
    format!(
        "ca_config {{\nskip_validate = true\nleaf_cert_ttl = \"20s\"\n\
         bundle_max_age = \"{}s\"\ncsr_max_per_second = 0\n}}",
        BUNDLE_AGE.as_secs()
    )
}

fn options(leaf_life: &Value) -> Value {
    json!({
        "SkipValidate": true,
        "LeafCertTTL": leaf_life,
        "BundleMaxAge": format!("{}s", BUNDLE_AGE.as_secs()),
        "CSRMaxPerSecond": 0,
    })
}

/// Orders a new key and kills the agent `after` that, while leafs are asked for all the time.
async fn killed_while_changing(agent: Agent, ca: &Ca, after: Duration) -> Vec<Issued> {
    let stop = Arc::new(AtomicBool::new(false));
    let asking = tokio::spawn(ask(ca.clone(), Arc::clone(&stop)));
    let order = tokio::spawn({
        let ca = ca.clone();
        async move { ca.rotate().await }
    });
    tokio::time::sleep(after).await;
    agent.kill().await.unwrap();
    // Whether an answer came is the moment's chance.
    drop(order.await.unwrap());
    stop.store(true, Ordering::SeqCst);
    asking.await.unwrap()
}

/// Asks for the roots and for leafs that nobody has asked for, until there is no answer.
async fn ask(ca: Ca, stop: Arc<AtomicBool>) -> Vec<Issued> {
    let mut issued = Vec::new();
    while !stop.load(Ordering::SeqCst) {
        let bundle_taken = Instant::now();
        let Ok(roots) = ca.roots().await else { break };
        let bundle = Arc::new(roots);
        for number in 0..5 {
            let name = format!("asked-{}-{number}", issued.len());
            let Ok(leaf) = ca.leaf(&name).await else {
                break;
            };
            issued.push(Issued {
                leaf,
                bundle: Arc::clone(&bundle),
                bundle_taken,
            });
        }
    }
    issued
}

/// One root signs, none is there twice, and at most the ordered one is new.
fn assert_roots(before: &CaRoots, now: &CaRoots, round: &str) {
    let mut ids = now.ids();
    assert!(ids.contains(&now.active.as_str()), "{round}");
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "{round}: a root is there twice");
    let old = before.ids();
    let new: Vec<_> = ids.iter().filter(|id| !old.contains(id)).collect();
    assert!(new.len() <= 1, "{round}: {new:?} are new");
    assert_eq!(
        new.first().is_some_and(|id| **id == now.active),
        now.active != before.active,
        "{round}"
    );
}

/// Every leaf verifies by what is served now, and by what was served before it was issued if
/// that may still be used.
fn assert_covered(issued: &[Issued], now: &CaRoots, round: &str) {
    let bundle = now.bundle().unwrap();
    for one in issued {
        one.leaf
            .verify(&bundle)
            .unwrap_or_else(|error| panic!("{round}: {} now: {error}", one.leaf.serial));
        let before = one.leaf.verify(&one.bundle.bundle().unwrap());
        if one.bundle_taken.elapsed() < BUNDLE_AGE {
            before.unwrap_or_else(|error| panic!("{round}: {} before: {error}", one.leaf.serial));
        }
    }
}
