//! A service behind our proxy, at an agent whose root's key the attacker has.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chancery_tests::hostile::{self, HostileCase, TestCa};
use chancery_tests::{Agent, AgentKind, App, Credentials, ProxyKind, Service, Sidecar};
use rustls::SupportedProtocolVersion;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// What any one thing may take before the test gives up on it.
pub(crate) const SOON: Duration = Duration::from_secs(10);
/// What a refusal may take.
const AT_ONCE: Duration = Duration::from_millis(300);
/// The proxy's bound on a handshake here.
pub(crate) const PATIENCE: Duration = Duration::from_millis(1500);
/// What the proxy may have grown by after hundreds of refusals, in KiB.
pub(crate) const GROWTH: u64 = 6 * 1024;

/// `db` with an echo behind our proxy, at an agent whose root's key the attacker has.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) db: Service,
    pub(crate) proxy: Sidecar,
    pub(crate) ca: TestCa,
    clean: TlsConnector,
    _agent: Agent,
}

impl Stage {
    pub(crate) async fn set() -> Self {
        let agent = Agent::start(AgentKind::Consul).await.unwrap();
        let roots = agent.get("/v1/connect/ca/roots").await.unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let now = i64::try_from(now.as_secs()).unwrap();
        let ca = TestCa::root(roots["TrustDomain"].as_str().unwrap(), now).unwrap();
        let config = json!({"PrivateKey": ca.key_pem(), "RootCert": ca.pem()});
        let body = json!({"Provider": "consul", "Config": config});
        agent
            .put("/v1/connect/ca/configuration", &body)
            .await
            .unwrap();
        let app = App::echo().await.unwrap();
        let config = json!({"handshake_timeout_ms": PATIENCE.as_millis()});
        let db = Service::new("db", app.address())
            .unwrap()
            .configured(config);
        let proxy = db.start(&agent, ProxyKind::Chancery).await.unwrap();
        let clean = Credentials::issued(&agent, "web").await.unwrap();
        Self {
            app,
            db,
            proxy,
            ca,
            clean: clean.connector().unwrap(),
            _agent: agent,
        }
    }

    /// A chain that must get in, and its key.
    pub(crate) fn control(&self) -> HostileCase {
        hostile::controls(&self.ca).unwrap().swap_remove(0)
    }

    /// A client with a clean certificate that comes in again and again.
    pub(crate) fn regular(&self) -> Regular {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, connector) = (Arc::clone(&stop), self.clean.clone());
        let address = self.db.public();
        let task = tokio::spawn(async move {
            let mut spans = Vec::new();
            while !stopped.load(Ordering::SeqCst) {
                let visit = visit(&connector, address).await;
                assert_eq!(visit.echo.unwrap(), b"ping");
                spans.push(visit.took);
            }
            spans
        });
        Regular { stop, task }
    }

    /// Whatever was tried, the application has heard of `known` connections and no other, and
    /// the proxy is well.
    pub(crate) async fn assert_only(&self, known: usize) {
        assert_eq!(self.app.accepted(), known);
        let visit = visit(&self.clean, self.db.public()).await;
        assert_eq!(visit.echo.unwrap(), b"ping");
        assert_eq!(self.app.accepted(), known + 1);
        let output = self.proxy.process().output();
        assert!(!output.contains("panicked"), "{output}");
    }

    pub(crate) async fn assert_gets_in(&self, case: &HostileCase, version: Version) {
        let connector = hostile::connector(case, version).unwrap();
        let visit = visit(&connector, self.db.public()).await;
        assert_eq!(visit.echo.expect(&case.name), b"ping", "{}", case.name);
    }

    /// Offers a chain, which must be refused at once and with `logged`.
    pub(crate) async fn assert_refused(&self, case: &HostileCase, version: Version, logged: &str) {
        let connector = hostile::connector(case, version).unwrap();
        let name = format!("{} ({version:?})", case.name);
        at_once(&name, async || {
            let visit = visit(&connector, self.db.public()).await;
            let error = visit.echo.expect_err(&name);
            assert_ne!(error.kind(), io::ErrorKind::TimedOut, "{name}: {error}");
            let line = format!("refused a connection from {}: {logged}", visit.from);
            let printed = self.proxy.process().wait_printed(&line, SOON).await;
            printed.expect(&name);
            visit.took
        })
        .await;
    }

    /// The memory that the proxy holds, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.proxy.process().id());
        let status = fs::read_to_string(path).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:"));
        let figure = line.and_then(|line| line.split_whitespace().nth(1));
        figure.unwrap().parse().unwrap()
    }
}

pub(crate) type Version = &'static SupportedProtocolVersion;

pub(crate) struct Regular {
    stop: Arc<AtomicBool>,
    task: JoinHandle<Vec<Duration>>,
}

impl Regular {
    /// How often it got in; never late.
    pub(crate) async fn leave(self) -> usize {
        self.stop.store(true, Ordering::SeqCst);
        let mut spans = timeout(SOON, self.task).await.unwrap().unwrap();
        spans.sort_unstable();
        let late = spans[spans.len() * 99 / 100];
        assert!(late < PATIENCE, "the 99th percentile is {late:?}");
        spans.len()
    }
}

/// One visit at the listener.
pub(crate) struct Visit {
    pub(crate) from: SocketAddr,
    pub(crate) took: Duration,
    pub(crate) echo: io::Result<Vec<u8>>,
}

/// Connects, sends `ping` and waits for it to come back.
pub(crate) async fn visit(connector: &TlsConnector, address: SocketAddr) -> Visit {
    let begun = Instant::now();
    let stream = TcpStream::connect(address).await.unwrap();
    // Else the small writes of a handshake wait for one another.
    stream.set_nodelay(true).unwrap();
    let from = stream.local_addr().unwrap();
    let echo = ping(connector, stream).await;
    Visit {
        from,
        took: begun.elapsed(),
        echo,
    }
}

pub(crate) async fn ping(
    connector: &TlsConnector,
    stream: impl AsyncRead + AsyncWrite + Unpin,
) -> io::Result<Vec<u8>> {
    let conversation = async {
        let name = ServerName::try_from("db").map_err(io::Error::other)?;
        let mut stream = connector.connect(name, stream).await?;
        stream.write_all(b"ping").await?;
        let mut echoed = vec![0; 4];
        stream.read_exact(&mut echoed).await?;
        Ok(echoed)
    };
    timeout(SOON, conversation).await?
}

/// Does something that must be over at once. The machine may be busy, so one of three tries
/// must be in time: what is slow by nature is slow each time.
pub(crate) async fn at_once(name: &str, mut attempt: impl AsyncFnMut() -> Duration) {
    let mut fastest = Duration::MAX;
    for _ in 0..3 {
        fastest = fastest.min(attempt().await);
        if fastest <= AT_ONCE {
            return;
        }
    }
    panic!("{name}: refused after {fastest:?} at best");
}

/// Waits for the end of a stream, whichever way it ends.
pub(crate) async fn assert_ends(stream: &mut (impl AsyncRead + Unpin)) {
    let mut scrap = Vec::new();
    drop(timeout(SOON, stream.read_to_end(&mut scrap)).await.unwrap());
}
