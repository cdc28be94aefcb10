//! How fast leafs are issued that nobody had before.
//!
//! Agent and clients share the machine, so the clients are as cheap as can be (a thread and a
//! connection each), and what both sides take of the processor is printed: with it the rate that
//! the machine allows if both cores do nothing else, which is what a missed goal comes to.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentKind, Ca, Getter, Goals, OpenBao, OpenBaoError, cpu_time, median, now,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::{Options, Outcome};

const LEAFS: usize = 500;
const CLIENTS: usize = 16;
const ROUNDS: usize = 11;
const VAULT_ROUNDS: usize = 5;
const LIFE: Duration = Duration::from_secs(72 * 3600);

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
        measure_vault(goals).await?;
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
        self.rates.push(issue(self.agent.http(), round, leafs)?);
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
fn issue(agent: SocketAddr, round: usize, leafs: usize) -> io::Result<f64> {
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

/// Ours with Vault behind it, beside the same calls made to Vault directly.
async fn measure_vault(goals: &mut Goals) -> Outcome<()> {
    let server = Arc::new(OpenBao::start().await?);
    let agent = Agent::start(AgentKind::Chancery).await?;
    let ca = Ca::new(agent.api());
    let options = json!({
        "LeafCertTTL": "72h",
        "CSRMaxPerSecond": 0,
        "Address": server.url(),
        "Token": server.root_token(),
        "RootPKIPath": "issuing-root",
        "IntermediatePKIPath": "issuing-intermediate",
    });
    ca.configure("vault", &options).await?;
    let trust_domain = ca.roots().await?.trust_domain;
    ca.leaf("warm").await?;
    let (mut ours, mut direct) = (Vec::new(), Vec::new());
    let (mut behind_us, mut alone) = (Shares::default(), Shares::default());
    let processes = [
        Some(agent.process().id()),
        server.process_id(),
        Some(std::process::id()),
    ];
    for round in 0..VAULT_ROUNDS {
        let before = Shares::now(processes)?;
        let address = agent.http();
        ours.push(tokio::task::block_in_place(|| {
            issue(address, round, LEAFS)
        })?);
        behind_us.add(before, processes)?;
        let before = Shares::now(processes)?;
        direct.push(ask_directly(&server, trust_domain.as_str()).await?);
        alone.add(before, processes)?;
    }
    let (ours, direct) = (median(&ours), median(&direct));
    println!(
        "{:<38}{ours:>9.0} leafs/s; {behind_us}",
        "chancery on OpenBao 2.7.2"
    );
    println!(
        "{:<38}{direct:>9.0} leafs/s; {alone}",
        "OpenBao 2.7.2 driven directly"
    );
    println!(
        "  by processor time alone, on a machine that does nothing else, that part is {:.2}",
        alone.sum() / behind_us.sum()
    );
    goals.at_least(
        "500 leafs on Vault, part of Vault's own rate",
        ours / direct,
        0.9,
    );
    Ok(())
}

/// What agent, server and clients take of the processor.
#[derive(Clone, Copy, Default)]
struct Shares([Duration; 3]);

impl Shares {
    fn now(processes: [Option<u32>; 3]) -> io::Result<Self> {
        let mut times = Self::default();
        for (time, process) in times.0.iter_mut().zip(processes) {
            *time = process.map(cpu_time).transpose()?.unwrap_or_default();
        }
        Ok(times)
    }

    /// Adds what was taken since `before`.
    fn add(&mut self, before: Self, processes: [Option<u32>; 3]) -> io::Result<()> {
        let now = Self::now(processes)?;
        for ((sum, now), before) in self.0.iter_mut().zip(now.0).zip(before.0) {
            *sum += now.saturating_sub(before);
        }
        Ok(())
    }

    fn sum(&self) -> f64 {
        self.0.iter().sum::<Duration>().as_secs_f64()
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leafs = (LEAFS * VAULT_ROUNDS) as f64;
        let [agent, server, client] = self.0.map(|time| time.as_secs_f64() * 1e6 / leafs);
        write!(
            f,
            "processor time a leaf: agent {agent:.0} us, server {server:.0} us, client \
             {client:.0} us"
        )
    }
}

/// The same requests as the provider makes, without anything around them.
async fn ask_directly(server: &Arc<OpenBao>, trust_domain: &str) -> Outcome<f64> {
    let end = now().saturating_add(LIFE).whole_seconds().to_string();
    let mut bodies = Vec::new();
    for number in 0..LEAFS {
        let uri = format!("spiffe://{trust_domain}/ns/default/dc/dc1/svc/direct-{number}");
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names = vec![rcgen::SanType::URI(uri.as_str().try_into()?)];
        let csr = params.serialize_request(&rcgen::KeyPair::generate()?)?;
        bodies.push(json!({
            "common_name": format!("direct-{number}.svc.default.test.consul"),
            "csr": csr.pem()?,
            "exclude_cn_from_sans": true,
            "not_after": end,
            "uri_sans": [uri],
        }));
    }
    let bodies = Arc::new(bodies);
    let path = "issuing-intermediate/issuer/default/sign/leaf-cert";
    let begin = Instant::now();
    let mut clients = JoinSet::new();
    for client in 0..CLIENTS {
        let (server, bodies) = (Arc::clone(server), Arc::clone(&bodies));
        clients.spawn(async move {
            for body in bodies.iter().skip(client).step_by(CLIENTS) {
                server.post(path, body).await?;
            }
            Ok::<_, OpenBaoError>(())
        });
    }
    while let Some(done) = clients.join_next().await {
        done??;
    }
    Ok(LEAFS as f64 / begin.elapsed().as_secs_f64())
}
