//! How fast leafs are issued with Vault behind the agent, beside the same calls made to the
//! server directly.
//!
//! Agent, server and clients would share the machine's cores, and what ours takes would be
//! missing from the server. So the server has a core of its own, as it has a machine of its own
//! where it matters, and everybody else shares another, in both rounds alike. What comes out
//! when all share all cores is printed beside it.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentKind, Ca, Goals, OpenBao, OpenBaoError, allow_all_cores, cpu_time, keep_to_core,
    median, now,
};
use serde_json::json;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::issuing::{CLIENTS, LEAFS, issue};

const ROUNDS: usize = 5;
const LIFE: Duration = Duration::from_secs(72 * 3600);

pub(crate) async fn measure(goals: &mut Goals) -> Outcome<()> {
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
    let stage = Stage {
        server_process: server.process_id().ok_or("the server has no process")?,
        server,
        agent,
        trust_domain: trust_domain.as_str().to_owned(),
    };
    stage.compare("all share all cores", "shared").await?;
    stage.part_cores()?;
    let part = stage
        .compare("the server has a core of its own", "apart")
        .await?;
    stage.share_cores()?;
    goals.at_least("500 leafs on Vault, part of Vault's own rate", part, 0.9);
    Ok(())
}

struct Stage {
    server: Arc<OpenBao>,
    server_process: u32,
    agent: Agent,
    trust_domain: String,
}

impl Stage {
    fn part_cores(&self) -> io::Result<()> {
        keep_to_core(self.server_process, 0)?;
        for process in [self.agent.process().id(), std::process::id()] {
            keep_to_core(process, 1)?;
        }
        Ok(())
    }

    /// What is measured after this has the whole machine again.
    fn share_cores(&self) -> io::Result<()> {
        allow_all_cores(std::process::id())
    }

    /// Which part of the server's own rate ours is.
    async fn compare(&self, places: &str, name: &str) -> Outcome<f64> {
        let processes = [
            self.agent.process().id(),
            self.server_process,
            std::process::id(),
        ];
        let (mut ours, mut direct) = (Vec::new(), Vec::new());
        let (mut behind_us, mut alone) = (Shares::default(), Shares::default());
        for round in 0..ROUNDS {
            let before = Shares::now(processes)?;
            let address = self.agent.http();
            let round = format!("{name}-{round}");
            ours.push(tokio::task::block_in_place(|| {
                issue(address, &round, LEAFS)
            })?);
            behind_us.add(before, processes)?;
            let before = Shares::now(processes)?;
            direct.push(ask_directly(&self.server, &self.trust_domain).await?);
            alone.add(before, processes)?;
        }
        let (ours, direct) = (median(&ours), median(&direct));
        println!("on Vault, {places}, medians of {ROUNDS} rounds:");
        println!(
            "{:<38}{ours:>9.0} leafs/s; {behind_us}",
            "chancery on OpenBao 2.7.2"
        );
        println!(
            "{:<38}{direct:>9.0} leafs/s; {alone}",
            "OpenBao 2.7.2 driven directly"
        );
        println!("  that part is {:.2}", ours / direct);
        Ok(ours / direct)
    }
}

/// What agent, server and clients take of the processor.
#[derive(Clone, Copy, Default)]
struct Shares([Duration; 3]);

impl Shares {
    fn now(processes: [u32; 3]) -> io::Result<Self> {
        let mut times = Self::default();
        for (time, process) in times.0.iter_mut().zip(processes) {
            *time = cpu_time(process)?;
        }
        Ok(times)
    }

    /// Adds what was taken since `before`.
    fn add(&mut self, before: Self, processes: [u32; 3]) -> io::Result<()> {
        let now = Self::now(processes)?;
        for ((sum, now), before) in self.0.iter_mut().zip(now.0).zip(before.0) {
            *sum += now.saturating_sub(before);
        }
        Ok(())
    }
}

impl fmt::Display for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let leafs = (LEAFS * ROUNDS) as f64;
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
    // As the role allows it.
    let short = trust_domain.get(..8).unwrap_or(trust_domain);
    let mut bodies = Vec::new();
    for number in 0..LEAFS {
        let uri = format!("spiffe://{trust_domain}/ns/default/dc/dc1/svc/direct-{number}");
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names = vec![rcgen::SanType::URI(uri.as_str().try_into()?)];
        let csr = params.serialize_request(&rcgen::KeyPair::generate()?)?;
        bodies.push(json!({
            "common_name": format!("direct-{number}.svc.default.{short}.consul"),
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
