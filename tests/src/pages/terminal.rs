//! A terminal that runs the commands of a page as they stand there, but for what would collide
//! with other tests: ports and folders.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{BinaryError, Process, ProcessError, chancery_binary, eventually, free_port};
use crate::peers::{PeerError, consul_binary, vault_folder};

const SOON: Duration = Duration::from_secs(30);

/// Why a command cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TerminalError {
    /// Our own program cannot be built.
    #[error(transparent)]
    Binary(#[from] BinaryError),
    /// A folder, port or shell cannot be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Consul or OpenBao cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A process does not do what it should.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The agent does not answer.
    #[error("the agent of {command:?} does not answer: {error}; its output:\n{output}")]
    Silent {
        /// The command.
        command: String,
        /// What the last request met.
        error: reqwest::Error,
        /// What it printed.
        output: String,
    },
}

/// What a command did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ran {
    /// Its exit code; 0 for one that goes on running, which `agent` and `connect proxy` do.
    pub code: i32,
    /// What it printed on both streams, standard output first.
    pub output: String,
    /// What it printed on standard output: `curl` tells of each time that it tries again on the
    /// other.
    pub answer: String,
}

/// Runs commands in a folder of its own. What is replaced in them: port 8500 and every text
/// given to [`replace`](Self::replace). Agents also get `-http-port`. Dropping it ends everything.
#[derive(Debug)]
pub struct Terminal {
    folder: TempDir,
    /// Where commands run, seen from there.
    inside: PathBuf,
    http: u16,
    replaced: Vec<(String, String)>,
    variables: Vec<(String, String)>,
    running: Vec<Process>,
}

impl Terminal {
    /// A terminal without anything running.
    ///
    /// # Errors
    /// When there is no folder or port to be had.
    pub fn new() -> Result<Self, TerminalError> {
        let http = free_port()?;
        Ok(Self {
            folder: TempDir::new()?,
            inside: PathBuf::new(),
            http,
            replaced: vec![(":8500".to_owned(), format!(":{http}"))],
            variables: vec![("CHANCERY_HTTP_ADDR".to_owned(), format!("127.0.0.1:{http}"))],
            running: Vec::new(),
        })
    }

    /// Replaces `written` by `by` in every command from now on.
    pub fn replace(&mut self, written: &str, by: &str) {
        self.replaced.push((written.to_owned(), by.to_owned()));
    }

    /// Replaces a port by one that is free, and returns that.
    ///
    /// # Errors
    /// When no port is free.
    pub fn replace_port(&mut self, written: u16) -> io::Result<u16> {
        let port = free_port()?;
        self.replace(&written.to_string(), &port.to_string());
        Ok(port)
    }

    /// A text of the page with everything replaced, as commands have it.
    #[must_use]
    pub fn filled(&self, text: &str) -> String {
        self.replaced
            .iter()
            .fold(text.to_owned(), |text, (old, new)| text.replace(old, new))
    }

    /// The folder that commands run in, until one changes it by `cd`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of the agent's API.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.http)
    }

    /// What goes on running, oldest first.
    #[must_use]
    pub fn running(&self) -> &[Process] {
        &self.running
    }

    /// Ends what runs, newest first, by SIGTERM, and returns the exit codes.
    ///
    /// # Errors
    /// When one does not end in time.
    pub async fn end(&mut self) -> Result<Vec<Option<i32>>, TerminalError> {
        let mut codes = Vec::new();
        while let Some(mut process) = self.running.pop() {
            process.terminate()?;
            codes.push(process.wait_exit(SOON).await?.code());
        }
        Ok(codes)
    }

    /// Runs one line.
    ///
    /// # Errors
    /// When it cannot be run. That it fails is no error.
    pub async fn run(&mut self, line: &str) -> Result<Ran, TerminalError> {
        let mut ran = Ran::default();
        let line = self.filled(line.trim_end_matches('&'));
        for piece in line.split("&&").map(str::trim) {
            if ran.code == 0 {
                let next = self.piece(piece).await?;
                ran.code = next.code;
                ran.output.push_str(&next.output);
                ran.answer.push_str(&next.answer);
            }
        }
        Ok(ran)
    }

    async fn piece(&mut self, piece: &str) -> Result<Ran, TerminalError> {
        let nothing = Ran::default();
        if let Some((name, value)) = piece
            .strip_prefix("export ")
            .and_then(|rest| rest.split_once('='))
        {
            self.variables.push((name.to_owned(), value.to_owned()));
            return Ok(nothing);
        }
        if let Some(folder) = piece.strip_prefix("cd ") {
            self.inside.push(folder);
            return Ok(nothing);
        }
        if piece.starts_with("chancery agent") {
            let command = self.shell(&format!("exec {piece} -http-port {}", self.http))?;
            self.running.push(Process::spawn("agent", command)?);
            self.wait_for_agent(piece).await?;
            return Ok(nothing);
        }
        if piece.starts_with("chancery connect proxy") {
            let process = Process::spawn("proxy", self.shell(&format!("exec {piece}"))?)?;
            process.wait_printed("ready to serve", SOON).await?;
            self.running.push(process);
            return Ok(nothing);
        }
        let output = self.shell(piece)?.output()?;
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            output: answer.clone() + &String::from_utf8_lossy(&output.stderr),
            answer,
        })
    }

    /// Waits until the agent answers, or has ended.
    async fn wait_for_agent(&mut self, command: &str) -> Result<(), TerminalError> {
        let url = self.url("/v1/agent/connect/ca/roots");
        let client = reqwest::Client::new();
        let answered = eventually(SOON, async || {
            client.get(&url).send().await?.error_for_status()
        })
        .await;
        answered.map(drop).map_err(|error| TerminalError::Silent {
            command: command.to_owned(),
            error,
            output: self.running.last().map(Process::output).unwrap_or_default(),
        })
    }

    fn shell(&self, command: &str) -> Result<Command, TerminalError> {
        let mut path = OsString::from(
            chancery_binary()?
                .parent()
                .unwrap_or_else(|| Path::new("/")),
        );
        if command.contains("consul ") {
            path.push(":");
            path.push(consul_binary()?.parent().unwrap_or_else(|| Path::new("/")));
        }
        if command.contains("vault ") {
            path.push(":");
            path.push(vault_folder()?);
        }
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap_or_default());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .current_dir(self.folder.path().join(&self.inside))
            .env("PATH", path)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        Ok(shell)
    }
}
