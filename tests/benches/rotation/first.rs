//! How soon after the order of a new root there is a leaf under it.
//!
//! Agents in memory beside each other, and agents with a data directory on the same disk, which
//! write it before they answer. What is compared is a reader who asks for a leaf as soon as the
//! order is answered: neither agent puts that off.
//!
//! Beside it a reader who was waiting for the next leaf of its service (`?index=`) all the time.
//! Consul puts that leaf off to a random moment within 30 s. Its
//! `connect.test_ca_leaf_root_change_spread` is set to nothing here, and 1.8.7 takes it, but such
//! a reader was seen to wait for 20 s and more all the same; so it is tried once, and not judged.

use std::time::{Duration, Instant};

use chancery_tests::{Agent, AgentClient, AgentKind, Ca, Goals, RotationError, median};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::{Options, Outcome};

/// Ours allows so many new roots within this time, see the front page of this bench.
const BUNDLE_AGE: Duration = Duration::from_secs(2);
const OURS: &str =
    "ca_config {\nskip_validate = true\nbundle_max_age = \"2s\"\ncsr_max_per_second = 0\n}";
const CONSULS: &str = "test_ca_leaf_root_change_spread = \"1ns\"";
const WAITER: &str = "waiter";
/// How long a reader may wait who is only tried.
const PATIENCE: Duration = Duration::from_secs(35);

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    println!(
        "from set-config to a leaf under the new root, medians of {} (ms)",
        options.changes
    );
    println!("{:<38}{:>9}{:>9}", "", "asked", "waited");
    for durable in [false, true] {
        let ours = Agent::start_with(AgentKind::Chancery, OURS, durable).await?;
        let mut sides = vec![Side::new(ours).await?];
        if options.full {
            let consuls = Agent::start_with(AgentKind::Consul, CONSULS, durable).await?;
            sides.push(Side::new(consuls).await?);
        }
        for number in 0..options.changes {
            for side in &mut sides {
                let waits = side.agent.kind() == AgentKind::Chancery || number == 0;
                side.change(number, waits).await?;
            }
            tokio::time::sleep(BUNDLE_AGE / 4).await;
        }
        let place = if durable { "durable" } else { "in memory" };
        for (name, side) in ["chancery", "consul 1.8.7"].iter().zip(&sides) {
            let name = format!("{name}, {place}");
            println!("{name:<38}{:>9.1}{:>9.1}", side.asked(), side.waited());
        }
        if let [ours, consuls] = sides.as_slice() {
            let part = ours.asked() / consuls.asked();
            let goal = format!("first leaf, per cent of consul's, {place}");
            goals.at_most(&goal, part * 100.0, 100.0 / 3.0);
        }
    }
    Ok(())
}

/// An agent, and how long its changes took, in milliseconds.
struct Side {
    agent: Agent,
    ca: Ca,
    asked: Vec<f64>,
    waited: Vec<f64>,
}

impl Side {
    async fn new(agent: Agent) -> Outcome<Self> {
        let ca = Ca::new(agent.api());
        let side = Self {
            agent,
            ca,
            asked: Vec::new(),
            waited: Vec::new(),
        };
        // Limits off, and whatever a first change costs.
        side.ca.configure("consul", &side.options()?).await?;
        Ok(side)
    }

    fn asked(&self) -> f64 {
        median(&self.asked)
    }

    fn waited(&self) -> f64 {
        median(&self.waited)
    }

    /// Orders a root for a new key as any client of Consul's API does, and asks for a leaf that
    /// nobody had, while somebody else waits for the next leaf of its service.
    async fn change(&mut self, number: usize, waits: bool) -> Outcome<()> {
        let before = self.ca.roots().await?.active;
        let options = self.options()?;
        let waiter = if waits {
            let index = index(&self.agent.api()).await?;
            Some(tokio::spawn(wait(self.agent.api(), index)))
        } else {
            None
        };
        // It waits once its request is there, which nothing tells.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let begin = Instant::now();
        self.ca.configure("consul", &options).await?;
        let leaf = self.ca.leaf(&format!("first-{number}")).await?;
        self.asked.push(begin.elapsed().as_secs_f64() * 1e3);
        if let Some(waiter) = waiter {
            let woken = tokio::time::timeout(PATIENCE, waiter).await;
            let took = match woken {
                Ok(woken) => woken??.saturating_duration_since(begin),
                Err(_still_waiting) => PATIENCE,
            };
            self.waited.push(took.as_secs_f64() * 1e3);
        }
        let mut newest = self.ca.roots().await?;
        if newest.active == before {
            return Err("the root is the same as before".into());
        }
        newest.roots.retain(|(id, _)| *id == newest.active);
        leaf.verify(&newest.bundle()?)?;
        Ok(())
    }

    fn options(&self) -> Outcome<Value> {
        let mut options = json!({
            "LeafCertTTL": "72h",
            "IntermediateCertTTL": "8760h",
            "RotationPeriod": "2160h",
            "CSRMaxPerSecond": 0,
            "PrivateKey": KeyPair::generate()?.serialize_pem(),
        });
        if self.agent.kind() == AgentKind::Chancery
            && let Some(options) = options.as_object_mut()
        {
            options.insert("SkipValidate".to_owned(), json!(true));
            options.insert("BundleMaxAge".to_owned(), json!("2s"));
        }
        Ok(options)
    }
}

/// The index of the waiter's present leaf.
async fn index(api: &AgentClient) -> Outcome<u64> {
    let path = format!("/v1/agent/connect/ca/leaf/{WAITER}");
    let answer = api.call("GET", &path, None).await?;
    Ok(answer.index.ok_or("a leaf without an index")?)
}

/// When the next leaf came.
async fn wait(api: AgentClient, index: u64) -> Result<Instant, RotationError> {
    let path = format!("/v1/agent/connect/ca/leaf/{WAITER}?index={index}&wait=60s");
    Ca::new(api).get(&path).await?;
    Ok(Instant::now())
}
