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

use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentHome, App, Ca, CaRoots, Issued, KillMoments, Pair, ProxyKind, Traffic, eventually,
    free_port, killed_while_changing,
};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(60);

/// How old a bundle may be: until then nobody may notice a change.
const BUNDLE_AGE: Duration = Duration::from_secs(2);

/// A path has room for five new keys within that time.
const ROUND: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_ca_survives_kills_at_ten_random_moments() {
    let kills = from_environment("CHANCERY_ROTATION_KILLS").unwrap_or(10);
    let mut moments = KillMoments::from_environment();
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
        let name = format!("round {round}");
        let begin = Instant::now();
        let before = ca.roots().await.unwrap();
        let order = ca.clone();
        let order = async move { order.rotate().await };
        let issued = killed_while_changing(agent, &ca, moments.within(takes), order).await;
        let issued = issued.unwrap();
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
