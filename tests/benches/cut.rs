//! How long open connections outlive an intention that denies them.
//!
//! `cargo bench -p chancery-tests --bench cut`. Without `--bench` (as `cargo test` runs it) a
//! few connections are cut once, and nothing is judged.
//!
//! The time runs from the answer to the write to the end of the connection as its client sees
//! it, behind both proxies: no byte passes the proxy any later than that.

use std::error::Error;
use std::time::{Duration, Instant};

use chancery_tests::{Agent, AgentKind, App, Goals, Pair, ProxyKind, eventually, percentile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How long a connection may go on before it counts as never cut.
const PATIENCE: Duration = Duration::from_secs(2);
const READY: Duration = Duration::from_secs(20);
/// How often a byte goes there and back over each open connection.
const BEAT: Duration = Duration::from_millis(250);

#[tokio::main(worker_threads = 1)]
async fn main() -> Outcome<()> {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (rounds, count) = if full { (5, 1000) } else { (1, 10) };
    println!("{count} open connections, one intention denies them, {rounds} rounds (ms)");
    println!(
        "{:<38}{:>8}{:>8}{:>8}{:>12}",
        "", "p50", "p99", "worst", "never cut"
    );
    let ours = Stage::start(AgentKind::Chancery, ProxyKind::Chancery).await?;
    let found = ours
        .measure("chancery proxies, chancery agent", rounds, count)
        .await?;
    drop(ours);
    if !full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
        return Ok(());
    }
    for (name, proxies, rounds) in [
        (
            "chancery proxies, consul 1.8.7 agent",
            ProxyKind::Chancery,
            rounds,
        ),
        ("consul 1.8.7 proxies and agent", ProxyKind::Consul, 1),
    ] {
        let stage = Stage::start(AgentKind::Consul, proxies).await?;
        stage.measure(name, rounds, count).await?;
    }
    let mut goals = Goals::new();
    goals.at_most("time to cut, p99 (ms)", found.p99, 100.0);
    goals.at_most("connections never cut", found.never as f64, 0.0);
    println!("{goals}");
    Ok(())
}

struct Stage {
    agent: Agent,
    pair: Pair,
    _app: App,
}

struct Found {
    p99: f64,
    never: usize,
}

impl Stage {
    async fn start(agent: AgentKind, proxies: ProxyKind) -> Outcome<Self> {
        let agent = Agent::start(agent).await?;
        let app = App::echo().await?;
        let pair = Pair::start(&agent, proxies, "cut", app.address(), 1).await?;
        Ok(Self {
            agent,
            pair,
            _app: app,
        })
    }

    async fn measure(&self, name: &str, rounds: usize, count: usize) -> Outcome<Found> {
        let mut times = Vec::new();
        let mut never = 0;
        for _ in 0..rounds {
            for time in self.round(count).await? {
                match time {
                    Some(time) => times.push(time.as_secs_f64() * 1e3),
                    None => never += 1,
                }
            }
        }
        // What was never cut counts as late.
        let mut judged = times.clone();
        judged.extend(std::iter::repeat_n(PATIENCE.as_secs_f64() * 1e3, never));
        let [p50, p99, worst] = [50.0, 99.0, 100.0].map(|at| percentile(&mut judged, at));
        println!("{name:<38}{p50:>8.1}{p99:>8.1}{worst:>8.1}{never:>12}");
        Ok(Found { p99, never })
    }

    /// How long after the answer each connection ended; `None` if it went on.
    async fn round(&self, count: usize) -> Outcome<Vec<Option<Duration>>> {
        let mut held = JoinSet::new();
        for _ in 0..count {
            let mut stream = TcpStream::connect(self.pair.entry()).await?;
            echo(&mut stream).await?;
            held.spawn(until_cut(stream));
        }
        let intention = self.agent.intend("cut-web", "cut-db", "deny").await?;
        let answered = Instant::now();
        let mut times = Vec::with_capacity(count);
        // The connections that go on are left when the time is over.
        drop(
            tokio::time::timeout(PATIENCE, async {
                while let Some(end) = held.join_next().await {
                    times.push(end.map(|end| Some(end.saturating_duration_since(answered))));
                }
            })
            .await,
        );
        let mut times = times.into_iter().collect::<Result<Vec<_>, _>>()?;
        times.resize(count, None);
        held.shutdown().await;
        self.agent.withdraw(&intention).await?;
        eventually(READY, async || {
            echo(&mut TcpStream::connect(self.pair.entry()).await?).await
        })
        .await?;
        Ok(times)
    }
}

/// Sends a byte there and back again and again, and gives the moment at which that ended.
async fn until_cut(mut stream: TcpStream) -> Instant {
    loop {
        let mut byte = [0];
        // Between two beats nothing is sent, so whatever can be read is the end.
        match tokio::time::timeout(BEAT, stream.read(&mut byte)).await {
            Ok(_) => return Instant::now(),
            Err(_elapsed) if echo(&mut stream).await.is_err() => return Instant::now(),
            Err(_elapsed) => {}
        }
    }
}

async fn echo(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.write_all(b"!").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(())
}
