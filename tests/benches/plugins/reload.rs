//! Leafs at an even rate while the plugin's file is replaced.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{AgentHome, Getter, Goals, RunningAgent, eventually, guest, percentile};

use crate::load::remarked;
use crate::{Options, Outcome};

const RELOADS: usize = 20;
const CLIENTS: u32 = 4;
/// Of all clients together.
const PER_SECOND: u32 = 200;
const SOON: Duration = Duration::from_secs(30);

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let plugins = tempfile::tempdir()?;
    let file = plugins.path().join("local-ca.wasm");
    let component = std::fs::read(guest("local-ca").await)?;
    std::fs::write(&file, &component)?;
    let connect = "ca_provider = \"wasm\"\n\
                   ca_config { plugin = \"local-ca\"  csr_max_per_second = 0 }";
    let folder = format!("plugin_dir = {:?}\nlog_level = \"warn\"", plugins.path());
    let home = AgentHome::with_connect(connect, &folder)?;
    let agent = home.start().await?;
    agent.wait_for_root().await?;

    let over = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (address, over) = (agent.http(), Arc::clone(&over));
            thread::spawn(move || ask(address, client, &over))
        })
        .collect();
    let reloads = options.count(RELOADS, 2);
    for number in 0..reloads {
        replace(&agent, &file, &remarked(&component, u8::try_from(number)?)).await?;
    }
    over.store(true, Ordering::Relaxed);
    let mut asked = Asked::default();
    for client in clients {
        asked.add(client.join().map_err(|_panic| "a client panicked")?);
    }
    println!("leafs at {PER_SECOND}/s while the plugin's file is replaced {reloads} times");
    println!(
        "{:<44}{:>9}{:>9}{:>9}{:>9}",
        "", "signed", "failed", "p50 us", "p99 us"
    );
    let signed = asked.times.len();
    let [p50, p99] = [50.0, 99.0].map(|percent| percentile(&mut asked.times, percent));
    println!(
        "{:<44}{signed:>9}{:>9}{p50:>9.0}{p99:>9.0}",
        "",
        asked.failed.len()
    );
    if let Some(first) = asked.failed.first() {
        println!("the first failure: {first}");
    }
    let failed = asked.failed.len() as f64;
    goals.at_most("failed while the plugin is reloaded", failed, 0.0);
    Ok(())
}

/// What became of the requests.
#[derive(Default)]
struct Asked {
    /// Of those that were granted, in microseconds from when they were due.
    times: Vec<f64>,
    failed: Vec<String>,
}

impl Asked {
    fn add(&mut self, mut other: Self) {
        self.times.append(&mut other.times);
        self.failed.append(&mut other.failed);
    }
}

/// One client: its share of the rate, each time for a service that has no leaf yet.
fn ask(agent: SocketAddr, client: u32, over: &AtomicBool) -> Asked {
    let mut asked = Asked::default();
    let mut connection = None;
    let begin = Instant::now() + Duration::from_secs(1) / PER_SECOND * client;
    for number in 0.. {
        let due = begin + Duration::from_secs(1) * CLIENTS / PER_SECOND * number;
        thread::sleep(due.saturating_duration_since(Instant::now()));
        if over.load(Ordering::Relaxed) {
            break;
        }
        let path = format!("/v1/agent/connect/ca/leaf/s-{client}-{number}");
        let taken = match connection.take() {
            Some(getter) => Ok(getter),
            None => Getter::connect(agent),
        };
        let got = taken.and_then(|mut getter: Getter| getter.get(&path).map(drop).map(|()| getter));
        match got {
            Ok(getter) => {
                connection = Some(getter);
                asked.times.push(due.elapsed().as_secs_f64() * 1e6);
            }
            Err(error) => asked.failed.push(error.to_string()),
        }
    }
    asked
}

/// Puts another file in the plugin's place and waits until it is taken.
async fn replace(agent: &RunningAgent, file: &Path, bytes: &[u8]) -> Outcome<()> {
    let status = async || {
        let status = agent.get("/v1/chancery/ca/status").await?;
        Outcome::Ok(status["plugin"]["sha256"].clone())
    };
    let before = status().await?;
    let next = file.with_extension("next");
    std::fs::write(&next, bytes)?;
    std::fs::rename(next, file)?;
    eventually(SOON, async || {
        if status().await? == before {
            return Err("the file is not taken".into());
        }
        Outcome::Ok(())
    })
    .await
}
