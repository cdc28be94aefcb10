//! A registered service and the proxy beside it, ours or Consul's.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::harness::{BinaryError, Process, ProcessError, chancery_binary, eventually, free_port};
use crate::peers::{Agent, AgentError, PeerError, consul_binary};

const READY: Duration = Duration::from_secs(20);

/// Whose proxy runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyKind {
    /// `chancery connect proxy`
    Chancery,
    /// `consul connect proxy` 1.8.7
    Consul,
}

/// Why the stage cannot be set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeshError {
    /// The agent refuses or is gone.
    #[error(transparent)]
    Agent(#[from] AgentError),
    /// Our own program cannot be built.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// A port cannot be had or does not open.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A peer's program cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A process does not do what it should.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The agent does not show the service's sidecar as healthy.
    #[error("the agent shows no healthy sidecar of {service} within {READY:?}")]
    Unhealthy {
        /// The service.
        service: String,
    },
}

/// A service to be registered with a sidecar.
#[derive(Clone, Debug)]
pub struct Service {
    name: String,
    app: SocketAddr,
    public: u16,
    upstreams: Vec<(String, u16)>,
    config: Value,
}

impl Service {
    /// A service whose application listens at `app`.
    ///
    /// # Errors
    /// When no port is free for its sidecar.
    pub fn new(name: &str, app: SocketAddr) -> Result<Self, MeshError> {
        Ok(Self {
            name: name.to_owned(),
            app,
            public: port()?,
            upstreams: Vec::new(),
            config: json!({}),
        })
    }

    /// Lets it call `service` through a local port.
    ///
    /// # Errors
    /// When no port is free.
    pub fn calling(mut self, service: &str) -> Result<Self, MeshError> {
        self.upstreams.push((service.to_owned(), port()?));
        Ok(self)
    }

    /// The same without upstreams.
    #[must_use]
    pub fn calling_nobody(&self) -> Self {
        Self {
            upstreams: Vec::new(),
            ..self.clone()
        }
    }

    /// Lets callers find its public listener at `public`, where the test itself serves.
    #[must_use]
    pub fn answered_at(mut self, public: SocketAddr) -> Self {
        self.public = public.port();
        self
    }

    /// Sets the proxy's free-form configuration.
    #[must_use]
    pub fn configured(mut self, config: Value) -> Self {
        self.config = config;
        self
    }

    /// The address of its sidecar's public listener.
    #[must_use]
    pub fn public(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.public))
    }

    /// The local address through which it calls `service`; port 0 if it does not.
    #[must_use]
    pub fn upstream(&self, service: &str) -> SocketAddr {
        let found = self.upstreams.iter().find(|(name, _)| name == service);
        match found {
            Some((_, port)) => SocketAddr::from(([127, 0, 0, 1], *port)),
            None => SocketAddr::from(([127, 0, 0, 1], 0)),
        }
    }

    /// Registers service and sidecar at the agent; both pass their checks at once.
    ///
    /// # Errors
    /// [`MeshError::Agent`]
    pub async fn register(&self, agent: &Agent) -> Result<(), MeshError> {
        let upstreams: Vec<Value> = self
            .upstreams
            .iter()
            .map(|(name, port)| json!({"DestinationName": name, "LocalBindPort": port}))
            .collect();
        agent
            .register(&json!({
                "Name": self.name,
                "Port": self.app.port(),
                "Address": "127.0.0.1",
                "Connect": {"SidecarService": {
                    "Port": self.public,
                    "Address": "127.0.0.1",
                    "Check": {"TTL": "1h", "Status": "passing"},
                    "Proxy": {"Upstreams": upstreams, "Config": self.config},
                }},
            }))
            .await?;
        Ok(())
    }

    /// Registers, starts the proxy and waits until others can find it and connect to it.
    ///
    /// # Errors
    /// [`MeshError`]
    pub async fn start(&self, agent: &Agent, kind: ProxyKind) -> Result<Sidecar, MeshError> {
        self.register(agent).await?;
        let sidecar = Sidecar::start(agent, kind, &self.name)?;
        self.wait_healthy(agent).await?;
        self.wait_open(&sidecar).await?;
        Ok(sidecar)
    }

    /// Like [`start`](Self::start), for measurements: the proxy has `workers` threads to work
    /// with and logs nothing about single connections.
    ///
    /// # Errors
    /// [`MeshError`]
    pub async fn start_quietly(
        &self,
        agent: &Agent,
        kind: ProxyKind,
        workers: usize,
    ) -> Result<Sidecar, MeshError> {
        self.register(agent).await?;
        let sidecar = Sidecar::launch(agent, kind, &self.name, |command| {
            let variable = match kind {
                ProxyKind::Chancery => "TOKIO_WORKER_THREADS",
                ProxyKind::Consul => "GOMAXPROCS",
            };
            command
                .env(variable, workers.to_string())
                .args(["-log-level", "err"]);
        })?;
        self.wait_healthy(agent).await?;
        self.wait_open(&sidecar).await?;
        Ok(sidecar)
    }

    async fn wait_healthy(&self, agent: &Agent) -> Result<(), MeshError> {
        let path = format!("/v1/health/connect/{}?passing=1", self.name);
        eventually(READY, async || {
            let found = agent.get(&path).await?;
            if found.as_array().is_some_and(|list| !list.is_empty()) {
                return Ok(());
            }
            Err(MeshError::Unhealthy {
                service: self.name.clone(),
            })
        })
        .await
    }

    /// Waits until every listener accepts.
    async fn wait_open(&self, sidecar: &Sidecar) -> Result<(), MeshError> {
        let upstreams = self.upstreams.iter().map(|(_, port)| *port);
        for port in upstreams.chain([self.public]) {
            let opened = eventually(READY, async || {
                TcpStream::connect(("127.0.0.1", port)).await
            })
            .await;
            opened.map_err(|source| MeshError::Io {
                what: format!(
                    "the proxy of {} does not listen on port {port}; its output:\n{}",
                    self.name,
                    sidecar.process().output()
                ),
                source,
            })?;
        }
        Ok(())
    }
}

/// A running proxy. Dropping it stops it.
#[derive(Debug)]
pub struct Sidecar {
    process: Process,
}

impl Sidecar {
    /// Starts the proxy of the registered service `id`.
    ///
    /// # Errors
    /// When its program cannot be had.
    pub fn start(agent: &Agent, kind: ProxyKind, id: &str) -> Result<Self, MeshError> {
        Self::launch(agent, kind, id, |command| {
            command.args(["-log-level", "debug"]);
        })
    }

    fn launch(
        agent: &Agent,
        kind: ProxyKind,
        id: &str,
        configure: impl FnOnce(&mut Command),
    ) -> Result<Self, MeshError> {
        let mut command = match kind {
            ProxyKind::Chancery => Command::new(chancery_binary()?),
            ProxyKind::Consul => Command::new(consul_binary()?),
        };
        command
            .args(["connect", "proxy", "-sidecar-for", id])
            .arg(format!("-http-addr={}", agent.http()));
        configure(&mut command);
        let process = Process::spawn(&format!("proxy of {id}"), command)?;
        Ok(Self { process })
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process, to be waited for.
    #[must_use]
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}

fn port() -> Result<u16, MeshError> {
    free_port().map_err(|source| MeshError::Io {
        what: "no free port".to_owned(),
        source,
    })
}
