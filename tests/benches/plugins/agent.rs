//! Leafs from two real agents, one with a plugin and one with the built-in CA.

use std::io;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{AgentHome, Getter, Goals, RunningAgent, cpu_time, guest, median};

use crate::{Options, Outcome};

const CLIENTS: usize = 16;
const LEAFS: usize = 500;
const ROUNDS: usize = 11;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let (leafs, rounds) = (options.count(LEAFS, 16), options.count(ROUNDS, 1));
    let built_in = "ca_config { csr_max_per_second = 0 }";
    let path = guest("local-ca").await;
    let plugin =
        format!("ca_provider = \"wasm\"\nca_config {{ path = {path:?}  csr_max_per_second = 0 }}");
    let mut sides = [
        Side::start("built-in CA", built_in).await?,
        Side::start("local-ca, a plugin", &plugin).await?,
    ];
    for round in 0..rounds {
        for side in &mut sides {
            tokio::task::block_in_place(|| side.round(round, leafs))?;
        }
    }
    println!(
        "{leafs} distinct leafs from an agent, {CLIENTS} clients (leafs/s; the agent's us each)"
    );
    let [own, theirs] = sides.each_ref().map(|side| {
        let price = side.spent.as_secs_f64() * 1e6 / (leafs * rounds) as f64;
        let rate = median(&side.rates);
        println!("{:<44}{rate:>9.0}{price:>9.1}", side.name);
        rate
    });
    goals.at_least(
        "the same by HTTP, % of the built-in's leafs/s",
        theirs / own * 100.0,
        80.0,
    );
    Ok(())
}

/// An agent, and what it gave and took.
struct Side {
    name: &'static str,
    agent: RunningAgent,
    rates: Vec<f64>,
    spent: Duration,
    _home: AgentHome,
}

impl Side {
    async fn start(name: &'static str, connect: &str) -> Outcome<Self> {
        let home = AgentHome::with_connect(connect, "log_level = \"warn\"")?;
        let agent = home.start().await?;
        agent.wait_for_root().await?;
        agent.get("/v1/agent/connect/ca/leaf/warm").await?;
        Ok(Self {
            name,
            agent,
            rates: Vec::new(),
            spent: Duration::ZERO,
            _home: home,
        })
    }

    fn round(&mut self, round: usize, leafs: usize) -> io::Result<()> {
        let agent = self.agent.process().id();
        let before = cpu_time(agent)?;
        let begin = Instant::now();
        ask(self.agent.http(), round, leafs)?;
        self.rates
            .push(leafs as f64 / begin.elapsed().as_secs_f64());
        self.spent += cpu_time(agent)?.saturating_sub(before);
        Ok(())
    }
}

/// Asks for leafs that nobody has asked for, as fast as the clients can.
fn ask(agent: SocketAddr, round: usize, leafs: usize) -> io::Result<()> {
    let ask = |client: usize| {
        let mut getter = Getter::connect(agent)?;
        (client..leafs).step_by(CLIENTS).try_for_each(|number| {
            getter.get(&format!("/v1/agent/connect/ca/leaf/leaf-{round}-{number}"))?;
            Ok(())
        })
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| scope.spawn(move || ask(client)))
            .collect();
        clients.into_iter().try_for_each(|client| {
            let ended = client.join();
            ended.unwrap_or_else(|_panic| Err(io::Error::other("a client panicked")))
        })
    })
}
