//! Who is measured.

use std::net::SocketAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chancery_tests::{Process, chancery_binary, consul_binary, free_ports};
use serde_json::Value;
use tempfile::TempDir;

use crate::Outcome;
use crate::wire::{Answer, Wire, request};

const READY: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(50);

/// More than any measurement opens, for both.
const LIMITS: &str = "http_max_conns_per_client = 15000";
const OUR_LIMITS: &str = "http_max_connections = 20000\nhttp_max_blocked_queries = 20000";

/// Which program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Chancery,
    Consul,
}

impl Kind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Chancery => "chancery",
            Self::Consul => "consul 1.8.7",
        }
    }
}

/// A running agent, a server with its state on disk. Dropping it stops it.
pub(crate) struct Candidate {
    pub(crate) kind: Kind,
    pub(crate) http: SocketAddr,
    process: Process,
    _folder: TempDir,
}

impl Candidate {
    /// Starts one and waits until it has roots to give.
    pub(crate) fn start(kind: Kind) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let ports = free_ports(6)?;
        let port = ports.first().copied().ok_or("no port")?;
        let command = match kind {
            Kind::Chancery => ours(&folder, port)?,
            Kind::Consul => consuls(&folder, &ports)?,
        };
        let candidate = Self {
            kind,
            http: SocketAddr::from(([127, 0, 0, 1], port)),
            process: Process::spawn(kind.name(), command)?,
            _folder: folder,
        };
        let begin = Instant::now();
        while !candidate.is_ready() {
            if begin.elapsed() > READY {
                let said = candidate.process.output();
                return Err(format!("{} was not ready: {said}", kind.name()).into());
            }
            sleep(STEP);
        }
        Ok(candidate)
    }

    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// One request over a connection of its own.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &str) -> Outcome<Answer> {
        let answer = Wire::connect(self.http)?.ask(&request(method, path, body))?;
        Ok(answer.checked()?)
    }

    /// The same, as JSON.
    pub(crate) fn json(&self, path: &str) -> Outcome<Value> {
        Ok(serde_json::from_slice(&self.ask("GET", path, "")?.body)?)
    }

    fn is_ready(&self) -> bool {
        let has = |path: &str, key: &str| {
            let found = self.json(path).unwrap_or_default();
            let list = found.get(key).cloned().unwrap_or(found);
            list.as_array().is_some_and(|list| !list.is_empty())
        };
        has("/v1/connect/ca/roots", "Roots") && has("/v1/catalog/nodes", "")
    }
}

fn ours(folder: &TempDir, port: u16) -> Outcome<Command> {
    let file = folder.path().join("agent.hcl");
    let data = folder.path().join("data");
    let text = format!(
        "data_dir = {data:?}\nserver = true\nbootstrap = true\nconnect {{ enabled = true }}\n\
         ports {{ http = {port} }}\nlog_level = \"warn\"\nlimits {{\n{LIMITS}\n{OUR_LIMITS}\n}}\n"
    );
    std::fs::write(&file, text)?;
    let mut command = Command::new(chancery_binary()?);
    command.args(["agent", "-config-file"]).arg(file);
    Ok(command)
}

fn consuls(folder: &TempDir, ports: &[u16]) -> Outcome<Command> {
    let mut command = Command::new(consul_binary()?);
    command
        .args(["agent", "-server", "-bootstrap", "-log-level=err"])
        .args(["-bind=127.0.0.1", "-client=127.0.0.1", "-data-dir"])
        .arg(folder.path().join("data"))
        .arg("-hcl")
        .arg(format!(
            "connect {{ enabled = true }}\nlimits {{ {LIMITS} }}"
        ));
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
