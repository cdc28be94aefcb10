//! An agent under test: whatever answers Consul's HTTP API, so that one scenario can be run
//! against several.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::agent::{AgentClient, AgentHome};
use crate::harness::{
    BinaryError, Process, ProcessError, chancery_binary, eventually, free_port, free_ports,
};
use crate::peers::{PeerError, consul_binary};

const READY: Duration = Duration::from_secs(20);

/// Which program answers the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AgentKind {
    /// Ours, `chancery agent --dev`.
    Chancery,
    /// The real Consul 1.8.7, `consul agent -dev`.
    Consul,
}

impl AgentKind {
    /// A command that starts one on loopback, and the port of its HTTP API.
    ///
    /// # Errors
    /// [`AgentError`] when the program or a port cannot be had.
    pub fn command(self) -> Result<(u16, Command), AgentError> {
        match self {
            Self::Chancery => {
                let port = free_port()?;
                let mut command = Command::new(chancery_binary()?);
                command.args(["agent", "--dev", "--http-port", &port.to_string()]);
                Ok((port, command))
            }
            Self::Consul => {
                let ports = free_ports(6)?;
                let port = ports.first().copied().unwrap_or_default();
                let mut command = consul_command(&ports)?;
                command.arg("-dev");
                Ok((port, command))
            }
        }
    }
}

/// Why an agent under test does not do what a scenario asks of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// It answered with an error.
    #[error("{method} {path}: {status} {body}")]
    Answer {
        /// The method.
        method: &'static str,
        /// The path asked for.
        path: String,
        /// The status it answered with.
        status: u16,
        /// The text it answered with.
        body: String,
    },
    /// Our own program cannot be built.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// It cannot be reached.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// No port is free.
    #[error("no free port: {0}")]
    Ports(#[from] std::io::Error),
    /// The program cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The program cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It does not become ready.
    #[error("the agent was not ready within {READY:?}: {found}")]
    Unready {
        /// What it answered last.
        found: String,
    },
}

/// A running agent. Dropping it stops it.
#[derive(Debug)]
pub struct Agent {
    kind: AgentKind,
    http: SocketAddr,
    process: Process,
    client: reqwest::Client,
    /// What it keeps files in, if that is its own.
    _home: Option<TempDir>,
}

impl Agent {
    /// Starts an agent on loopback with ports from the operating system, and waits until it
    /// has certificates to give.
    ///
    /// # Errors
    /// [`AgentError`] when the program cannot be had or is not ready in time.
    pub async fn start(kind: AgentKind) -> Result<Self, AgentError> {
        let (port, command) = kind.command()?;
        Self::of(kind, port, command).await
    }

    /// The same for an agent whose node is called `name`.
    ///
    /// # Errors
    /// [`AgentError`] when the program cannot be had or is not ready in time.
    pub async fn start_named(kind: AgentKind, name: &str) -> Result<Self, AgentError> {
        let (port, mut command) = kind.command()?;
        command.args(["-node", name]);
        Self::of(kind, port, command).await
    }

    async fn of(kind: AgentKind, port: u16, command: Command) -> Result<Self, AgentError> {
        let agent = Self {
            kind,
            http: SocketAddr::from(([127, 0, 0, 1], port)),
            process: Process::spawn("agent", command)?,
            client: reqwest::Client::new(),
            _home: None,
        };
        eventually(READY, async || agent.ready().await).await?;
        Ok(agent)
    }

    /// Starts our agent with the configuration and the data of `home`, its API on `port`, and
    /// waits until it has certificates to give. Another one may follow it on the same port.
    ///
    /// # Errors
    /// [`AgentError`] when it is not ready in time.
    pub async fn start_at(home: &AgentHome, port: u16) -> Result<Self, AgentError> {
        let mut command = home.command()?;
        command.args(["-http-port", &port.to_string()]);
        let agent = Self {
            kind: AgentKind::Chancery,
            http: SocketAddr::from(([127, 0, 0, 1], port)),
            process: Process::spawn("agent", command)?,
            client: reqwest::Client::new(),
            _home: None,
        };
        eventually(READY, async || agent.ready().await).await?;
        Ok(agent)
    }

    /// Starts an agent with `connect` more in its block about Connect: in memory, or with a data
    /// directory, which it writes before it answers (Consul as a server of its own).
    ///
    /// # Errors
    /// [`AgentError`] when the program cannot be had or is not ready in time.
    pub async fn start_with(
        kind: AgentKind,
        connect: &str,
        durable: bool,
    ) -> Result<Self, AgentError> {
        let home = tempfile::tempdir()?;
        let file = home.path().join("connect.hcl");
        fs::write(
            &file,
            format!("connect {{\nenabled = true\n{connect}\n}}\n"),
        )?;
        let (port, mut command) = match kind {
            AgentKind::Chancery => {
                let port = free_port()?;
                let mut command = Command::new(chancery_binary()?);
                command.args(["agent", "-http-port", &port.to_string()]);
                (port, command)
            }
            AgentKind::Consul => {
                let ports = free_ports(6)?;
                let mut command = consul_command(&ports)?;
                if durable {
                    command.args(["-server", "-bootstrap-expect=1"]);
                }
                (ports.first().copied().unwrap_or_default(), command)
            }
        };
        command.arg("-config-file").arg(file);
        if durable {
            command.arg("-data-dir").arg(home.path().join("data"));
        } else {
            command.arg("-dev");
        }
        let mut agent = Self::of(kind, port, command).await?;
        agent._home = Some(home);
        Ok(agent)
    }

    /// Kills it as a power failure would and waits until it is gone.
    ///
    /// # Errors
    /// When it had ended before.
    pub async fn kill(mut self) -> Result<(), ProcessError> {
        self.process.kill()?;
        self.process.wait_exit(READY).await?;
        Ok(())
    }

    /// What anybody may use to ask it, for longer than this borrow.
    #[must_use]
    pub fn api(&self) -> AgentClient {
        AgentClient::new(self.http, self.client.clone())
    }

    /// Which program this is.
    #[must_use]
    pub fn kind(&self) -> AgentKind {
        self.kind
    }

    /// The address of its HTTP API.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// GET `path`, as JSON.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a 2xx answer with JSON in it.
    pub async fn get(&self, path: &str) -> Result<Value, AgentError> {
        let answer = self.client.get(self.url(path)).send().await?;
        Ok(checked("GET", path, answer).await?.json().await?)
    }

    /// PUT `body` to `path`.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a 2xx answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<(), AgentError> {
        let answer = self.client.put(self.url(path)).json(body).send().await?;
        checked("PUT", path, answer).await?;
        Ok(())
    }

    /// Registers a service, given as Consul's JSON.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a 2xx answer.
    pub async fn register(&self, service: &Value) -> Result<(), AgentError> {
        self.put("/v1/agent/service/register", service).await
    }

    /// Creates an intention and returns its id.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a 2xx answer.
    pub async fn intend(
        &self,
        source: &str,
        destination: &str,
        action: &str,
    ) -> Result<String, AgentError> {
        let path = "/v1/connect/intentions";
        let body = json!({"SourceName": source, "DestinationName": destination, "Action": action});
        let answer = self.client.post(self.url(path)).json(&body).send().await?;
        let answer: Value = checked("POST", path, answer).await?.json().await?;
        Ok(answer
            .get("ID")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned())
    }

    /// Deletes the intention `id`.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a 2xx answer.
    pub async fn withdraw(&self, id: &str) -> Result<(), AgentError> {
        let path = format!("/v1/connect/intentions/{id}");
        let answer = self.client.delete(self.url(&path)).send().await?;
        checked("DELETE", &path, answer).await?;
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.http)
    }

    async fn ready(&self) -> Result<(), AgentError> {
        let roots = self.get("/v1/connect/ca/roots").await?;
        let nodes = self.get("/v1/catalog/nodes").await?;
        let has = |value: Option<&Value>| {
            value
                .and_then(Value::as_array)
                .is_some_and(|list| !list.is_empty())
        };
        if has(roots.get("Roots")) && has(Some(&nodes)) {
            return Ok(());
        }
        Err(AgentError::Unready {
            found: format!("{roots} {nodes}"),
        })
    }
}

async fn checked(
    method: &'static str,
    path: &str,
    answer: reqwest::Response,
) -> Result<reqwest::Response, AgentError> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    Err(AgentError::Answer {
        method,
        path: path.to_owned(),
        status: status.as_u16(),
        body: answer.text().await?,
    })
}

fn consul_command(ports: &[u16]) -> Result<Command, PeerError> {
    let mut command = Command::new(consul_binary()?);
    command.args(["agent", "-bind=127.0.0.1", "-client=127.0.0.1"]);
    let flags = [
        "-http-port",
        "-server-port",
        "-serf-lan-port",
        "-serf-wan-port",
        "-dns-port",
        "-grpc-port",
    ];
    for (flag, port) in flags.iter().zip(ports) {
        command.arg(format!("{flag}={port}"));
    }
    Ok(command)
}
