//! How fast leafs are issued that nobody had before.

use std::time::Instant;

use chancery_tests::{Agent, AgentKind, Ca, Goals, median};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Options, Outcome};

const LEAFS: usize = 500;
const CLIENTS: usize = 16;
const ROUNDS: usize = 3;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let kinds: &[_] = if options.full {
        &[AgentKind::Chancery, AgentKind::Consul]
    } else {
        &[AgentKind::Chancery]
    };
    let (leafs, rounds) = if options.full {
        (LEAFS, ROUNDS)
    } else {
        (16, 1)
    };
    println!(
        "{leafs} distinct leafs, {CLIENTS} clients, limits off, medians of {rounds} (leafs/s)"
    );
    let mut cas = Vec::new();
    for kind in kinds {
        let agent = Agent::start(*kind).await?;
        let ca = Ca::new(agent.api());
        let limits = json!({
            "LeafCertTTL": "72h",
            "IntermediateCertTTL": "8760h",
            "RotationPeriod": "2160h",
            "CSRMaxPerSecond": 0,
            "CSRMaxConcurrent": 0,
        });
        ca.configure("consul", &limits).await?;
        ca.leaf("warm").await?;
        cas.push((agent, ca));
    }
    let mut rates = vec![Vec::new(); cas.len()];
    for round in 0..rounds {
        for ((_, ca), rates) in cas.iter().zip(&mut rates) {
            rates.push(issue(ca, round, leafs).await?);
        }
    }
    let rates: Vec<f64> = rates.iter().map(|rates| median(rates)).collect();
    for (name, rate) in ["chancery", "consul 1.8.7"].iter().zip(&rates) {
        println!("{name:<38}{rate:>9.0}");
    }
    if let [ours, consuls] = rates.as_slice() {
        goals.at_least(
            "500 leafs, built-in, times consul's rate",
            ours / consuls,
            5.0,
        );
    }
    Ok(())
}

async fn issue(ca: &Ca, round: usize, leafs: usize) -> Outcome<f64> {
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let ca = ca.clone();
        clients.spawn(async move {
            for number in (client..leafs).step_by(CLIENTS) {
                ca.leaf(&format!("leaf-{round}-{number}")).await?;
            }
            Ok::<_, chancery_tests::RotationError>(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(leafs as f64 / begin.elapsed().as_secs_f64())
}
