//! Our own agent as an operator runs it: a process with a configuration file and a state that
//! outlives it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Process, ProcessError, chancery_binary, eventually};
use crate::peers::AgentError;

const READY: Duration = Duration::from_secs(20);

/// The last line that an agent prints before it answers requests.
const BANNER_END: &str = "==> Log data will now stream";

/// A configuration file and a data directory, for one agent after another.
#[derive(Debug)]
pub struct AgentHome {
    directory: TempDir,
}

impl AgentHome {
    /// A home whose agent is durable and listens on a port from the operating system.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn new() -> io::Result<Self> {
        Self::with_settings("")
    }

    /// The same with more lines in the configuration file.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn with_settings(more: &str) -> io::Result<Self> {
        Self::with_connect("", more)
    }

    /// The same with `connect` more in the block about Connect: provider and options of the CA.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn with_connect(connect: &str, more: &str) -> io::Result<Self> {
        let home = Self {
            directory: tempfile::tempdir()?,
        };
        let data_dir = home.data_dir();
        let text = format!(
            "data_dir = {data_dir:?}\nserver = true\nbootstrap = true\n\
             connect {{\nenabled = true\n{connect}\n}}\nports {{ http = 0 }}\n{more}\n"
        );
        fs::write(home.config_file(), text)?;
        Ok(home)
    }

    /// The directory that holds everything.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// The configuration file.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.path().join("agent.hcl")
    }

    /// The data directory, which the agent makes.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.path().join("data")
    }

    /// A command that starts an agent here.
    ///
    /// # Errors
    /// When our program cannot be built.
    pub fn command(&self) -> Result<Command, AgentError> {
        let mut command = Command::new(chancery_binary()?);
        command
            .args(["agent", "-config-file"])
            .arg(self.config_file());
        Ok(command)
    }

    /// Starts an agent here and waits until it serves its API.
    ///
    /// # Errors
    /// [`AgentError`] when it does not, with what it printed.
    pub async fn start(&self) -> Result<RunningAgent, AgentError> {
        RunningAgent::start(self.command()?).await
    }
}

/// Our agent as a process. Dropping it kills it.
#[derive(Debug)]
pub struct RunningAgent {
    process: Process,
    http: SocketAddr,
    client: reqwest::Client,
}

impl RunningAgent {
    /// Starts one with `command` and waits until it serves its API.
    ///
    /// # Errors
    /// [`AgentError`] when it does not, with what it printed.
    pub async fn start(command: Command) -> Result<Self, AgentError> {
        let mut process = Process::spawn("chancery agent", command)?;
        let mut ended = false;
        let http = eventually(READY, async || {
            match printed_address(&process) {
                Err(error) if !ended => {
                    // What it printed until its end is looked at once more.
                    ended = process.wait_exit(Duration::ZERO).await.is_ok();
                    Err(error)
                }
                found => Ok(found),
            }
        })
        .await??;
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            process,
            http,
            client,
        })
    }

    /// Where it serves its API, as it said itself.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process, to wait for.
    #[must_use]
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
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

    /// Waits until its authority has a root, which is a moment after the first start.
    ///
    /// # Errors
    /// [`AgentError::Unready`] with what it answered last.
    pub async fn wait_for_root(&self) -> Result<Value, AgentError> {
        eventually(READY, async || {
            let roots = self.get("/v1/connect/ca/roots").await?;
            let active = roots.get("ActiveRootID").and_then(Value::as_str);
            match active {
                Some(id) if !id.is_empty() => Ok(roots),
                _ => Err(AgentError::Unready {
                    found: roots.to_string(),
                }),
            }
        })
        .await
    }

    /// An answer to GET, as JSON.
    ///
    /// # Errors
    /// [`AgentError`] for anything but 2xx with JSON in it.
    pub async fn get(&self, path: &str) -> Result<Value, AgentError> {
        self.api().call("GET", path, None).await?.checked()
    }

    /// The answer to PUT.
    ///
    /// # Errors
    /// [`AgentError`] for anything but 2xx.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, AgentError> {
        let answer = self.api().call("PUT", path, Some(body)).await?;
        answer.checked()
    }

    /// The answer to POST.
    ///
    /// # Errors
    /// [`AgentError`] for anything but 2xx.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, AgentError> {
        let answer = self.api().call("POST", path, Some(body)).await?;
        answer.checked()
    }
}

fn printed_address(process: &Process) -> Result<SocketAddr, ProcessError> {
    let output = process.output();
    let address = output
        .contains(BANNER_END)
        .then(|| {
            output
                .lines()
                .filter_map(|line| line.trim().strip_prefix("HTTP: "))
                .flat_map(|addresses| addresses.split(", "))
                .find_map(|address| address.parse().ok())
        })
        .flatten();
    address.ok_or_else(|| ProcessError::Unprinted {
        name: "chancery agent".to_owned(),
        wanted: BANNER_END.to_owned(),
        waited: READY,
        output,
    })
}

/// A client of one agent. Clones share their connections.
#[derive(Clone, Debug)]
pub struct AgentClient {
    base: String,
    client: reqwest::Client,
}

impl AgentClient {
    /// A client of the agent at `http`.
    pub(crate) fn new(http: SocketAddr, client: reqwest::Client) -> Self {
        Self {
            base: format!("http://{http}"),
            client,
        }
    }

    /// Asks with GET, PUT, POST or DELETE, and takes any answer.
    ///
    /// # Errors
    /// When no whole answer comes back.
    pub async fn call(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<ApiAnswer, reqwest::Error> {
        let url = format!("{}{path}", self.base);
        let mut request = match method {
            "DELETE" => self.client.delete(url),
            "POST" => self.client.post(url),
            "PUT" => self.client.put(url),
            _ => self.client.get(url),
        };
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let index = answer
            .headers()
            .get("X-Consul-Index")
            .and_then(|value| value.to_str().ok()?.parse().ok());
        Ok(ApiAnswer {
            method,
            path: path.to_owned(),
            status: answer.status(),
            index,
            text: answer.text().await?,
        })
    }
}

/// What an agent answered.
#[derive(Clone, Debug)]
pub struct ApiAnswer {
    method: &'static str,
    path: String,
    /// The status.
    pub status: StatusCode,
    /// `X-Consul-Index`, if there was one.
    pub index: Option<u64>,
    /// The body.
    pub text: String,
}

impl ApiAnswer {
    /// The body as JSON; null if it is empty.
    ///
    /// # Errors
    /// [`AgentError::Answer`] for anything but 2xx with JSON or nothing in it.
    pub fn checked(self) -> Result<Value, AgentError> {
        let read = match self.text.as_str() {
            _ if !self.status.is_success() => None,
            "" => Some(Value::Null),
            text => serde_json::from_str(text).ok(),
        };
        read.ok_or(AgentError::Answer {
            method: self.method,
            path: self.path,
            status: self.status.as_u16(),
            body: self.text,
        })
    }
}
