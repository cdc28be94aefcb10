//! What a plugin that never comes back does to others who ask the same agent.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{AgentHome, Getter, Goals, cpu_time, hostile_guest, median, percentile};
use tokio::task::JoinSet;

use crate::{Options, Outcome};

const ROUNDS: usize = 7;
const CONNECTIONS: usize = 4;
/// As many calls as a plugin may have under way at once.
const SPINNERS: usize = 16;

/// One half of a round.
#[derive(Clone, Copy, Default)]
struct Half {
    p50: f64,
    p99: f64,
    worst: f64,
    /// What the agent took of the machine, in cores.
    cores: f64,
}

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let path = hostile_guest("never_returns").await;
    let connect = format!(
        "ca_provider = \"wasm\"\nca_config {{ path = {path:?}  timeout = \"1m\"  \
         csr_max_per_second = 0 }}"
    );
    let window = options.window(4_000);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..options.count(ROUNDS, 1) {
        let [idle, spinning] = round(&connect, window).await?;
        alone.push(idle);
        beside.push(spinning);
    }
    let of = |halves: &[Half], pick: fn(&Half) -> f64| {
        median(&halves.iter().map(pick).collect::<Vec<_>>())
    };
    println!("authorize over {CONNECTIONS} connections (us; cores that the agent takes)");
    println!(
        "{:<44}{:>9}{:>9}{:>9}{:>9}",
        "", "p50", "p99", "worst", "cores"
    );
    for (name, halves) in [
        ("the plugin is left alone", &alone),
        ("it spins in 16 calls", &beside),
    ] {
        let (p50, p99) = (of(halves, |it| it.p50), of(halves, |it| it.p99));
        let (worst, cores) = (of(halves, |it| it.worst), of(halves, |it| it.cores));
        println!("{name:<44}{p50:>9.0}{p99:>9.0}{worst:>9.0}{cores:>9.2}");
    }
    let [idle, spinning] = [&alone, &beside].map(|halves| of(halves, |it| it.p99));
    goals.at_most(
        "authorize beside a spinning plugin, p99 (us)",
        spinning,
        idle * 1.2 + 1_000.0,
    );
    Ok(())
}

/// An agent of its own for each round: once its plugin has been late often enough it is left
/// alone, and nothing spins any more.
async fn round(connect: &str, window: Duration) -> Outcome<[Half; 2]> {
    let home = AgentHome::with_connect(connect, "log_level = \"warn\"")?;
    let agent = home.start().await?;
    let roots = agent.wait_for_root().await?;
    let trust_domain = roots["TrustDomain"].as_str().ok_or("no trust domain")?;
    let body = format!(
        "{{\"Target\":\"db\",\"ClientCertSerial\":\"09:3a\",\"ClientCertURI\":\
         \"spiffe://{trust_domain}/ns/default/dc/dc1/svc/web\"}}"
    );
    let (address, process) = (agent.http(), agent.process().id());
    let half = || tokio::task::block_in_place(|| authorize(address, process, &body, window));
    half()?;
    let idle = half()?;
    let answered = Arc::new(AtomicBool::new(false));
    let mut spinners = JoinSet::new();
    for number in 0..SPINNERS {
        let (api, answered) = (agent.api(), Arc::clone(&answered));
        spinners.spawn(async move {
            let path = format!("/v1/agent/connect/ca/leaf/spins-{number}");
            let _refused = api.call("GET", &path, None).await;
            answered.store(true, Ordering::Relaxed);
        });
    }
    let spinning = half()?;
    if answered.load(Ordering::Relaxed) {
        return Err("a call that should spin came back".into());
    }
    spinners.shutdown().await;
    agent.kill().await?;
    Ok([idle, spinning])
}

/// Asks who may connect, for a while.
fn authorize(agent: SocketAddr, process: u32, body: &str, window: Duration) -> Outcome<Half> {
    let ask = || -> io::Result<Vec<f64>> {
        let mut getter = Getter::connect(agent)?;
        let mut times = Vec::new();
        let end = Instant::now() + window;
        loop {
            let start = Instant::now();
            if start >= end {
                return Ok(times);
            }
            getter.post("/v1/agent/connect/authorize", body)?;
            times.push(start.elapsed().as_secs_f64() * 1e6);
        }
    };
    let before = cpu_time(process)?;
    let mut times = thread::scope(|scope| {
        let clients: Vec<_> = (0..CONNECTIONS).map(|_| scope.spawn(ask)).collect();
        let mut times = Vec::new();
        for client in clients {
            let done = client.join().map_err(|_panic| "a client panicked")?;
            times.append(&mut done?);
        }
        Outcome::Ok(times)
    })?;
    let spent = cpu_time(process)?.saturating_sub(before);
    Ok(Half {
        p50: percentile(&mut times, 50.0),
        p99: percentile(&mut times, 99.0),
        worst: percentile(&mut times, 100.0),
        cores: spent.as_secs_f64() / window.as_secs_f64(),
    })
}
