//! How soon after the order of a new root there is a leaf under it.

use std::time::{Duration, Instant};

use chancery_tests::{Agent, AgentHome, AgentKind, Ca, Goals, free_port, median};
use rcgen::KeyPair;
use serde_json::{Value, json};

use crate::{Options, Outcome};

/// Ours allows so many new roots within this time, see the front page of this bench.
const BUNDLE_AGE: Duration = Duration::from_secs(2);

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let settings = "ca_config {\nskip_validate = true\nbundle_max_age = \"2s\"\n\
        csr_max_per_second = 0\n}";
    let home = AgentHome::with_connect(settings, "")?;
    let ours = Agent::start_at(&home, free_port()?).await?;
    let ours = Side::new(ours);
    let consuls = if options.full {
        Some(Side::new(Agent::start(AgentKind::Consul).await?))
    } else {
        None
    };
    let (mut our_times, mut consul_times) = (Vec::new(), Vec::new());
    for number in 0..options.changes {
        our_times.push(ours.change(number).await?.as_secs_f64() * 1e3);
        if let Some(consuls) = &consuls {
            consul_times.push(consuls.change(number).await?.as_secs_f64() * 1e3);
        }
        tokio::time::sleep(BUNDLE_AGE / 4).await;
    }
    let (mine, consuls) = (median(&our_times), median(&consul_times));
    println!(
        "from set-config to the first leaf under the new root, medians of {} (ms)",
        options.changes
    );
    println!("{:<38}{mine:>9.1}", "chancery, durable");
    if options.full {
        println!("{:<38}{consuls:>9.1}", "consul 1.8.7, in memory");
        goals.at_most(
            "first leaf, part of consul's time",
            mine / consuls,
            1.0 / 3.0,
        );
    }
    Ok(())
}

/// An agent, and whether its CA takes Chancery's own options.
struct Side {
    agent: Agent,
    ca: Ca,
}

impl Side {
    fn new(agent: Agent) -> Self {
        let ca = Ca::new(agent.api());
        Self { agent, ca }
    }

    /// Orders a root for a new key as any client of Consul's API does, and asks for a leaf that
    /// nobody had: no agent puts that off to a random moment.
    async fn change(&self, number: usize) -> Outcome<Duration> {
        let before = self.ca.roots().await?.active;
        let options = self.options()?;
        let begin = Instant::now();
        self.ca.configure("consul", &options).await?;
        let leaf = self.ca.leaf(&format!("first-{number}")).await?;
        let took = begin.elapsed();
        let mut newest = self.ca.roots().await?;
        if newest.active == before {
            return Err("the root is the same as before".into());
        }
        newest.roots.retain(|(id, _)| *id == newest.active);
        leaf.verify(&newest.bundle()?)?;
        Ok(took)
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
