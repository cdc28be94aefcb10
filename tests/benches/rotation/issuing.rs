//! How fast leafs are issued that nobody had before.

use std::sync::Arc;
use std::time::Instant;

use chancery_tests::{Agent, AgentKind, Ca, Goals, OpenBao, OpenBaoError, median};
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
    if options.full {
        measure_vault(goals).await?;
    }
    Ok(())
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
    for round in 0..ROUNDS {
        ours.push(issue(&ca, round, LEAFS).await?);
        direct.push(ask_directly(&server, trust_domain.as_str()).await?);
    }
    let (ours, direct) = (median(&ours), median(&direct));
    println!("{:<38}{ours:>9.0}", "chancery on OpenBao 2.7.2");
    println!("{:<38}{direct:>9.0}", "OpenBao 2.7.2 driven directly");
    goals.at_least(
        "500 leafs on Vault, part of Vault's own rate",
        ours / direct,
        0.9,
    );
    Ok(())
}

/// The same requests as the provider makes, without anything around them.
async fn ask_directly(server: &Arc<OpenBao>, trust_domain: &str) -> Outcome<f64> {
    let mut bodies = Vec::new();
    for number in 0..LEAFS {
        let uri = format!("spiffe://{trust_domain}/ns/default/dc/dc1/svc/direct-{number}");
        let mut params = rcgen::CertificateParams::default();
        params.subject_alt_names = vec![rcgen::SanType::URI(uri.as_str().try_into()?)];
        let csr = params.serialize_request(&rcgen::KeyPair::generate()?)?;
        bodies.push(json!({
            "csr": csr.pem()?,
            "uri_sans": uri,
            "exclude_cn_from_sans": true,
            "ttl": "72h",
        }));
    }
    let bodies = Arc::new(bodies);
    let path = "issuing-intermediate/sign/leaf-cert";
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
