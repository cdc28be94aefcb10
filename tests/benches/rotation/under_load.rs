//! Changes of the CA under traffic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{
    Agent, AgentHome, Backend, Ca, Goals, HeldPeer, OpenBao, OperatorCa, ProxyKind, Service,
    Sidecar, Tally, Traffic, eventually, free_port,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::{Options, Outcome};

const READY: Duration = Duration::from_secs(90);
const SETTINGS: &str = "ca_config {\nskip_validate = true\nleaf_cert_ttl = \"1h\"\n\
    bundle_max_age = \"10s\"\ncsr_max_per_second = 0\n}";
const BUNDLE_AGE: Duration = Duration::from_secs(10);
/// New connections a second, through both proxies.
const RATE: u32 = 200;
const HELD: usize = 50;
/// What goes on before and after each change.
const MARGIN: Duration = Duration::from_secs(1);

/// How the CA is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    NewKey,
    WithoutCrossSigning,
    ToVault,
    FromVault,
}

pub(crate) async fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    println!(
        "changes of the CA under {RATE} new connections/s and {HELD} open ones, {} each",
        options.changes
    );
    println!(
        "{:<38}{:>9}{:>8}{:>9}{:>9}{:>9}{:>11}",
        "", "new", "failed", "dropped", "stale", "failed", "moved (s)"
    );
    let stage = Stage::start().await?;
    let mut found = vec![
        stage
            .run("built-in to built-in", Kind::NewKey, options)
            .await?,
    ];
    drop(stage);
    if options.full {
        found.extend(vault_pairs(options).await?);
    }
    let stage = Stage::start().await?;
    stage.ca.configure("consul", &own()?).await?;
    let name = "the same without cross-signing";
    let uncrossed = stage.run(name, Kind::WithoutCrossSigning, options).await?;
    let lost = |one: &Found| one.tally.failed + one.tally.dropped + one.stale.failed;
    let lost: u64 = found.iter().map(lost).sum();
    goals.at_most("lost in changes with cross-signing", lost as f64, 0.0);
    if uncrossed.stale.failed == 0 {
        return Err("without cross-signing nothing failed: the bench would not see it".into());
    }
    Ok(())
}

/// To Vault and back, again and again.
async fn vault_pairs(options: &Options) -> Outcome<[Found; 2]> {
    let stage = Stage::start().await?;
    let server = OpenBao::start().await?;
    let (mut there, mut back) = (Found::default(), Found::default());
    for _ in 0..options.changes {
        there = there.and(
            stage
                .change(Kind::ToVault, Some(&server), options.full)
                .await?,
        );
        back = back.and(stage.change(Kind::FromVault, None, options.full).await?);
    }
    there.print("built-in to Vault (OpenBao 2.7.2)");
    back.print("Vault to built-in");
    Ok([there, back])
}

#[derive(Default)]
struct Found {
    tally: Tally,
    stale: Stale,
    moved: Duration,
}

#[derive(Clone, Copy, Default)]
struct Stale {
    called: u64,
    failed: u64,
}

impl Found {
    fn and(self, other: Self) -> Self {
        Self {
            tally: self.tally.and(other.tally),
            stale: Stale {
                called: self.stale.called + other.stale.called,
                failed: self.stale.failed + other.stale.failed,
            },
            moved: self.moved.max(other.moved),
        }
    }

    fn print(&self, name: &str) {
        let Self {
            tally,
            stale,
            moved,
        } = self;
        println!(
            "{name:<38}{:>9}{:>8}{:>9}{:>9}{:>9}{:>11.1}",
            tally.opened,
            tally.failed,
            tally.dropped,
            stale.called,
            stale.failed,
            moved.as_secs_f64()
        );
        for (reason, moments) in &tally.reasons {
            println!("  {reason}: {} times", moments.len());
        }
    }
}

struct Stage {
    _home: AgentHome,
    _agent: Agent,
    _proxies: [Sidecar; 2],
    ca: Ca,
    entry: SocketAddr,
    public: SocketAddr,
}

impl Stage {
    async fn start() -> Outcome<Self> {
        let home = AgentHome::with_connect(SETTINGS, "")?;
        let agent = Agent::start_at(&home, free_port()?).await?;
        let ca = Ca::new(agent.api());
        let backend = Backend::start()?;
        let db = Service::new("db", backend.address())?;
        let web = Service::new("web", backend.address())?.calling("db")?;
        let proxies = [
            db.start_quietly(&agent, ProxyKind::Chancery, 1).await?,
            web.start_quietly(&agent, ProxyKind::Chancery, 1).await?,
        ];
        let (entry, public) = (web.upstream("db"), db.public());
        eventually(READY, async || greet(entry).await).await?;
        Ok(Self {
            _home: home,
            _agent: agent,
            _proxies: proxies,
            ca,
            entry,
            public,
        })
    }

    async fn run(&self, name: &str, kind: Kind, options: &Options) -> Outcome<Found> {
        let mut found = Found::default();
        for _ in 0..options.changes {
            found = found.and(self.change(kind, None, options.full).await?);
        }
        found.print(name);
        Ok(found)
    }

    async fn change(&self, kind: Kind, vault: Option<&OpenBao>, full: bool) -> Outcome<Found> {
        let (rate, held) = if full { (RATE, HELD) } else { (20, 5) };
        let load = Traffic::start(self.entry, rate, held)?;
        tokio::time::sleep(MARGIN).await;
        let taken = Instant::now();
        let before = HeldPeer::take(&self.ca, "held").await?;
        let stale = StaleLoad::start(before, self.public);
        let begin = Instant::now();
        match kind {
            Kind::NewKey => self.ca.rotate().await?,
            Kind::WithoutCrossSigning => self.ca.force("consul", &own()?).await?,
            Kind::FromVault => self.ca.configure("consul", &shared()).await?,
            Kind::ToVault => {
                let server = vault.ok_or("no Vault")?;
                self.ca.configure("vault", &in_vault(server)).await?;
            }
        }
        // The stale caller goes on for as long as its bundle may be used.
        let may = BUNDLE_AGE.saturating_sub(taken.elapsed() + MARGIN / 2);
        let moved = tokio::time::timeout(may, self.wait_moved()).await;
        if moved.is_ok() {
            tokio::time::sleep(
                BUNDLE_AGE
                    .saturating_sub(taken.elapsed() + MARGIN / 2)
                    .min(MARGIN),
            )
            .await;
        }
        let stale = stale.stop().await;
        if moved.is_err() {
            self.wait_moved().await?;
        }
        let moved = begin.elapsed();
        tokio::time::sleep(MARGIN).await;
        let tally = tokio::task::spawn_blocking(|| load.stop()).await?;
        Ok(Found {
            tally,
            stale,
            moved,
        })
    }

    /// Waits until the called proxy shows a leaf that stands on the active root alone.
    async fn wait_moved(&self) -> Outcome<()> {
        let mut newest = self.ca.roots().await?;
        newest.roots.retain(|(id, _)| *id == newest.active);
        let mover = HeldPeer::of(self.ca.leaf("mover").await?, &newest)?;
        Ok(eventually(READY, async || mover.call(self.public).await).await?)
    }
}

async fn greet(entry: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(entry).await?;
    stream.write_all(b"?").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(())
}

/// The options that all providers share.
fn shared() -> Value {
    json!({
        "SkipValidate": true,
        "LeafCertTTL": "1h",
        "BundleMaxAge": "10s",
        "CSRMaxPerSecond": 0,
    })
}

/// Options for a new CA of an operator.
fn own() -> Outcome<Value> {
    let own = OperatorCa::new()?;
    let mut options = shared();
    options["RootCert"] = json!(own.chain_pem());
    options["PrivateKey"] = json!(own.key_pem());
    Ok(options)
}

/// Options for mounts in Vault, which are new each time it is come to.
fn in_vault(server: &OpenBao) -> Value {
    let mut options = shared();
    options["Address"] = json!(server.url());
    options["Token"] = json!(server.root_token());
    options["RootPKIPath"] = json!("bench-root");
    options["IntermediatePKIPath"] = json!("bench-intermediate");
    options
}

/// Calls by a peer that has the leaf and the roots of before.
struct StaleLoad {
    stop: Arc<AtomicBool>,
    failed: Arc<AtomicU64>,
    task: JoinHandle<u64>,
}

impl StaleLoad {
    fn start(peer: HeldPeer, public: SocketAddr) -> Self {
        let (stop, failed) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let task = tokio::spawn({
            let (stop, failed) = (Arc::clone(&stop), Arc::<AtomicU64>::clone(&failed));
            async move {
                let mut called = 0;
                while !stop.load(Ordering::SeqCst) {
                    called += 1;
                    if peer.call(public).await.is_err() {
                        failed.fetch_add(1, Ordering::SeqCst);
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                called
            }
        });
        Self { stop, failed, task }
    }

    async fn stop(self) -> Stale {
        self.stop.store(true, Ordering::SeqCst);
        let called = self.task.await.unwrap_or_default();
        Stale {
            called,
            failed: self.failed.load(Ordering::SeqCst),
        }
    }
}
