//! How fast leafs are issued that nobody had before.
//!
//! Agent and clients share the machine, so the clients are as cheap as can be (a thread and a
//! connection each), and what both sides take of the processor is printed: with it the rate that
//! the machine allows if both cores do nothing else, which is what a missed goal comes to.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chancery_tests::{Agent, AgentKind, Ca, Getter, Goals, cpu_time, median};
use serde_json::json;

use crate::{Options, Outcome, issuing_vault};

pub(crate) const LEAFS: usize = 500;
pub(crate) const CLIENTS: usize = 16;
const ROUNDS: usize = 11;

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let kinds: &[_] = if options.full {
        &[AgentKind::Chancery, AgentKind::Consul]
    } else {
        &[AgentKind::Chancery]
    };
    let (leafs, rounds) = if options.full {
        (options.leafs.unwrap_or(LEAFS), ROUNDS)
    } else {
        (16, 1)
    };
    println!("{leafs} distinct leafs, {CLIENTS} clients, limits off, medians of {rounds} rounds");
    let mut sides = Vec::new();
    for kind in kinds {
        sides.push(Side::start(*kind).await?);
    }
    for round in 0..rounds {
        for side in &mut sides {
            tokio::task::block_in_place(|| side.round(round, leafs))?;
        }
    }
    for (name, side) in ["chancery", "consul 1.8.7"].iter().zip(&sides) {
        side.report(name)?;
    }
    if let [ours, consuls] = sides.as_slice() {
        let (ours, consuls) = (ours.rate(), consuls.rate());
        goals.at_least(
            "500 leafs, built-in, times consul's rate",
            ours / consuls,
            5.0,
        );
    }
    if options.full {
        drop(sides);
        issuing_vault::measure(goals).await?;
    }
    Ok(())
}

/// An agent, and what it and its clients took.
struct Side {
    agent: Agent,
    rates: Vec<f64>,
    leafs: usize,
    agents_time: Duration,
    clients_time: Duration,
}

impl Side {
    async fn start(kind: AgentKind) -> Outcome<Self> {
        let agent = Agent::start(kind).await?;
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
        Ok(Self {
            agent,
            rates: Vec::new(),
            leafs: 0,
            agents_time: Duration::ZERO,
            clients_time: Duration::ZERO,
        })
    }

    fn round(&mut self, round: usize, leafs: usize) -> Outcome<()> {
        let (agent, own) = (self.agent.process().id(), std::process::id());
        let before = (cpu_time(agent)?, cpu_time(own)?);
        self.rates
            .push(issue(self.agent.http(), &round.to_string(), leafs)?);
        self.agents_time += cpu_time(agent)?.saturating_sub(before.0);
        self.clients_time += cpu_time(own)?.saturating_sub(before.1);
        self.leafs += leafs;
        Ok(())
    }

    fn rate(&self) -> f64 {
        median(&self.rates)
    }

    fn report(&self, name: &str) -> Outcome<()> {
        let each = |time: Duration| time.as_secs_f64() * 1e6 / self.leafs as f64;
        let (agents, clients) = (each(self.agents_time), each(self.clients_time));
        let cores = std::thread::available_parallelism()?.get();
        println!(
            "{name:<38}{:>9.0} leafs/s; processor time a leaf {agents:.0} us, its client's \
             {clients:.0} us: at most {:.0} leafs/s on {cores} cores",
            self.rate(),
            cores as f64 * 1e6 / (agents + clients),
        );
        Ok(())
    }
}

/// Asks for `leafs` leafs that nobody has asked for, as fast as the clients can.
pub(crate) fn issue(agent: SocketAddr, round: &str, leafs: usize) -> io::Result<f64> {
    let mut clients = (0..CLIENTS)
        .map(|_| Getter::connect(agent))
        .collect::<io::Result<Vec<_>>>()?;
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let clients: Vec<_> = clients
            .iter_mut()
            .enumerate()
            .map(|(client, getter)| {
                scope.spawn(move || {
                    for number in (client..leafs).step_by(CLIENTS) {
                        let path = format!("/v1/agent/connect/ca/leaf/leaf-{round}-{number}");
                        let body = getter.get(&path)?;
                        if !body.windows(15).any(|part| part == b"\"PrivateKeyPEM\"") {
                            return Err(io::Error::other("an answer without a leaf"));
                        }
                    }
                    Ok(())
                })
            })
            .collect();
        clients.into_iter().try_for_each(|client| {
            let ended = client.join();
            ended.unwrap_or_else(|_panic| Err(io::Error::other("a client panicked")))
        })
    })?;
    Ok(leafs as f64 / begin.elapsed().as_secs_f64())
}
