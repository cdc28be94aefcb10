//! How evenly the leafs of many services are replaced after a change of who signs.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chancery_tests::{Agent, AgentError, AgentKind, Ca, Goals};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::{Options, Outcome};

const CLIENTS: usize = 16;
const SERVICES: usize = 10_000;
/// The operator's limit. Half of it is for replacing leafs.
const LIMIT: usize = 1000;
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the status is looked at, for which the agent counts all leafs.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let services = if options.full { SERVICES } else { 50 };
    let agent = Agent::start(AgentKind::Chancery).await?;
    let ca = Ca::new(agent.api());
    let limits = json!({"CSRMaxPerSecond": LIMIT});
    ca.configure("consul", &limits).await?;
    register(&agent, services).await?;
    let before = leafs(&ca, services).await?;
    let begin = Instant::now();
    ca.rotate().await?;
    let new = ca.leaf("new").await?;
    // What is asked for plainly is replaced at once, so only the status is looked at.
    loop {
        let status = ca.status().await?;
        let moved = status.pointer("/leafs/moved").and_then(Value::as_u64);
        if moved.is_some_and(|moved| usize::try_from(moved).is_ok_and(|moved| moved > services)) {
            break;
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("not all leafs were replaced: {status}").into());
        }
        tokio::time::sleep(LOOK).await;
    }
    let took = begin.elapsed();
    drop(new);
    let after = leafs(&ca, services).await?;
    if before.iter().zip(&after).any(|(old, new)| old.0 == new.0) {
        return Err("a leaf was not replaced".into());
    }
    let mut seconds: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, second) in &after {
        *seconds.entry(second).or_default() += 1;
    }
    if services == SERVICES && seconds.len() < 2 {
        return Err("the leafs do not tell when they were signed".into());
    }
    let peak = seconds.values().copied().max().unwrap_or_default() as f64;
    let even = services as f64 / seconds.len().max(1) as f64;
    println!(
        "{services} services after a new key, at most {LIMIT} signatures/s: all within {:.1} s, \
         peak {peak} in a second, even spread {even:.0}",
        took.as_secs_f64()
    );
    if options.full {
        goals.at_most("peak of signing, times the even spread", peak / even, 2.0);
    }
    Ok(())
}

/// Registers all services, some at a time.
async fn register(agent: &Agent, services: usize) -> Outcome<()> {
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let api = agent.api();
        clients.spawn(async move {
            for number in (client..services).step_by(CLIENTS) {
                let service = json!({"Name": name(number)});
                let path = "/v1/agent/service/register";
                api.call("PUT", path, Some(&service)).await?.checked()?;
            }
            Ok::<_, AgentError>(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{services} services registered in {took:.1} s");
    Ok(())
}

fn name(number: usize) -> String {
    format!("service-{number}")
}

/// Serial number and last second of validity of each service's leaf. The last, which tells when it
/// was signed: the first is never before the issuer's own.
async fn leafs(ca: &Ca, services: usize) -> Outcome<Vec<(String, String)>> {
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let ca = ca.clone();
        clients.spawn(async move {
            let mut found = Vec::new();
            for number in (client..services).step_by(CLIENTS) {
                let path = format!("/v1/agent/connect/ca/leaf/{}", name(number));
                let end = Instant::now() + PATIENCE;
                let leaf = loop {
                    match ca.get(&path).await {
                        // A client that comes while the limit is reached comes again.
                        Err(_) if Instant::now() < end => {
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                        answer => break answer?,
                    }
                };
                let text = |key: &str| {
                    let text = leaf.get(key).and_then(Value::as_str);
                    text.unwrap_or_default().to_owned()
                };
                found.push((number, text("SerialNumber"), text("ValidBefore")));
            }
            Ok::<_, chancery_tests::RotationError>(found)
        });
    }
    let mut all = Vec::new();
    while let Some(done) = clients.join_next().await {
        all.extend(done??);
    }
    all.sort();
    Ok(all
        .into_iter()
        .map(|(_, serial, until)| (serial, until))
        .collect())
}
