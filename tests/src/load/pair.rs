//! Two sidecars between a client and an application, whoever made them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::eventually;
use crate::load::{cpu_time, private, resident};
use crate::mesh::{MeshError, ProxyKind, Service, Sidecar};
use crate::peers::{Agent, EnvoyError, EnvoyPair};

const READY: Duration = Duration::from_secs(20);

/// Why a pair does not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// Envoy's.
    #[error(transparent)]
    Envoy(#[from] EnvoyError),
    /// Ours or Consul's.
    #[error(transparent)]
    Mesh(#[from] MeshError),
    /// It carries nothing.
    #[error("no byte got through the pair within {READY:?}: {source}")]
    Unready {
        /// How the last try ended.
        source: io::Error,
    },
}

/// Sends a byte on a new connection and waits for one that comes back.
///
/// # Errors
/// When none does.
pub async fn call_through(entry: SocketAddr) -> io::Result<()> {
    let mut stream = TcpStream::connect(entry).await?;
    stream.write_all(b"?").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(())
}

/// A running pair. Dropping it stops both processes.
#[derive(Debug)]
pub struct Pair {
    entry: SocketAddr,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Envoy(EnvoyPair),
    Mesh { caller: Sidecar, called: Sidecar },
}

impl Pair {
    /// Starts sidecars of `kind` for two new services of `agent`, called `<prefix>-web` and
    /// `<prefix>-db`, of which the first calls the application at `app` through the second.
    /// Each proxy gets `workers` threads.
    ///
    /// # Errors
    /// [`PairError::Mesh`]
    pub async fn start(
        agent: &Agent,
        kind: ProxyKind,
        prefix: &str,
        app: SocketAddr,
        workers: usize,
    ) -> Result<Self, PairError> {
        let destination = format!("{prefix}-db");
        let db = Service::new(&destination, app)?;
        let web = Service::new(&format!("{prefix}-web"), app)?.calling(&destination)?;
        let called = db.start_quietly(agent, kind, workers).await?;
        let caller = web.start_quietly(agent, kind, workers).await?;
        Self {
            entry: web.upstream(&destination),
            kind: Kind::Mesh { caller, called },
        }
        .ready()
        .await
    }

    /// Starts a pair of Envoys, each with `workers` threads, that resume TLS sessions (as stock
    /// ones do) or not.
    ///
    /// # Errors
    /// [`PairError::Envoy`]
    pub async fn start_envoy(
        app: SocketAddr,
        workers: usize,
        resuming: bool,
    ) -> Result<Self, PairError> {
        let pair = EnvoyPair::start(app, workers, resuming).await?;
        Self {
            entry: pair.entry(),
            kind: Kind::Envoy(pair),
        }
        .ready()
        .await
    }

    /// Waits until a byte gets there and back.
    async fn ready(self) -> Result<Self, PairError> {
        let entry = self.entry;
        eventually(READY, async || call_through(entry).await)
            .await
            .map_err(|source| PairError::Unready { source })?;
        Ok(self)
    }

    /// Where a client connects to reach the application.
    #[must_use]
    pub fn entry(&self) -> SocketAddr {
        self.entry
    }

    /// The process ids: beside the client, beside the application.
    #[must_use]
    pub fn processes(&self) -> [u32; 2] {
        match &self.kind {
            Kind::Envoy(pair) => [pair.caller().id(), pair.called().id()],
            Kind::Mesh { caller, called } => [caller.process().id(), called.process().id()],
        }
    }

    /// The memory of the larger of the two, in bytes.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn resident(&self) -> io::Result<u64> {
        let [caller, called] = self.processes();
        Ok(resident(caller)?.max(resident(called)?))
    }

    /// The part of that memory which the process shares with nobody, in bytes.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn private(&self) -> io::Result<u64> {
        let [caller, called] = self.processes();
        Ok(private(caller)?.max(private(called)?))
    }

    /// The processor time that both have used so far.
    ///
    /// # Errors
    /// When one of them has ended.
    pub fn cpu_time(&self) -> io::Result<Duration> {
        let [caller, called] = self.processes();
        Ok(cpu_time(caller)? + cpu_time(called)?)
    }
}
