//! A child process that is killed and reaped when its test ends, and whose output is shown
//! when the test fails.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::harness::eventually;

/// How long a stopped process may take to stand still.
const STOPPED: Duration = Duration::from_secs(10);

/// Why a process could not be started or did not do what a test waits for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProcessError {
    /// It did not end in time.
    #[error("{name} still runs after {waited:?}; its output:\n{output}")]
    StillRunning {
        /// The name given at the start.
        name: String,
        /// How long the test waited.
        waited: Duration,
        /// Everything it printed so far.
        output: String,
    },
    /// It could not be started, signalled or waited for.
    #[error("{name}: {source}")]
    System {
        /// The name given at the start.
        name: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// It did not print what the test waits for.
    #[error("{name} did not print {wanted:?} within {waited:?}; its output:\n{output}")]
    Unprinted {
        /// The name given at the start.
        name: String,
        /// The text waited for.
        wanted: String,
        /// How long the test waited.
        waited: Duration,
        /// Everything it printed so far.
        output: String,
    },
}

/// A running child. Dropping it kills and reaps it.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
    errors: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`, with its standard output and error captured.
    ///
    /// # Errors
    /// [`ProcessError::System`] if it cannot be started.
    pub fn spawn(name: &str, mut command: Command) -> Result<Self, ProcessError> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| ProcessError::System {
            name: name.to_owned(),
            source,
        })?;
        let output = Arc::new(Mutex::new(String::new()));
        let errors = Arc::new(Mutex::new(String::new()));
        let streams = [
            child
                .stdout
                .take()
                .map(|pipe| (Box::new(pipe) as Pipe, vec![&output])),
            child
                .stderr
                .take()
                .map(|pipe| (Box::new(pipe) as Pipe, vec![&output, &errors])),
        ];
        let readers = streams
            .into_iter()
            .flatten()
            .map(|(pipe, texts)| {
                let texts: Vec<_> = texts.into_iter().map(Arc::clone).collect();
                std::thread::spawn(move || collect(pipe, &texts))
            })
            .collect();
        Ok(Self {
            name: name.to_owned(),
            child,
            output,
            errors,
            readers,
        })
    }

    /// Asks it to stop, as an operator does (SIGTERM).
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub fn terminate(&self) -> Result<(), ProcessError> {
        self.signal(Signal::TERM)
    }

    /// Sends SIGINT, as Ctrl-C does.
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub fn interrupt(&self) -> Result<(), ProcessError> {
        self.signal(Signal::INT)
    }

    /// Kills it (SIGKILL) without waiting for its end.
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub fn kill(&self) -> Result<(), ProcessError> {
        self.signal(Signal::KILL)
    }

    /// Asks it to read its configuration again (SIGHUP).
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub fn hang_up(&self) -> Result<(), ProcessError> {
        self.signal(Signal::HUP)
    }

    /// Stops its threads where they are (SIGSTOP), until [`Process::resume`]. Returns when the
    /// last one stands still: on a busy machine the signal takes its time.
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub async fn pause(&self) -> Result<(), ProcessError> {
        self.signal(Signal::STOP)?;
        eventually(STOPPED, async || self.stands_still())
            .await
            .map_err(|source| self.system(source))
    }

    fn stands_still(&self) -> std::io::Result<()> {
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.id()))? {
            let stat = std::fs::read_to_string(thread?.path().join("stat"))?;
            // "pid (name) state …", and the name may hold anything.
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
            if !state.starts_with('T') {
                return Err(std::io::Error::other("a thread is still running"));
            }
        }
        Ok(())
    }

    /// Lets it go on (SIGCONT).
    ///
    /// # Errors
    /// [`ProcessError::System`] if it is gone already.
    pub fn resume(&self) -> Result<(), ProcessError> {
        self.signal(Signal::CONT)
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// [`ProcessError::StillRunning`] when `deadline` has passed.
    pub async fn wait_exit(&mut self, deadline: Duration) -> Result<ExitStatus, ProcessError> {
        let end = Instant::now() + deadline;
        loop {
            let status = self
                .child
                .try_wait()
                .map_err(|source| self.system(source))?;
            if let Some(status) = status {
                for reader in self.readers.drain(..) {
                    drop(reader.join());
                }
                return Ok(status);
            }
            if Instant::now() >= end {
                return Err(ProcessError::StillRunning {
                    name: self.name.clone(),
                    waited: deadline,
                    output: self.output(),
                });
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until it has printed `wanted` somewhere.
    ///
    /// # Errors
    /// [`ProcessError::Unprinted`] when `deadline` has passed.
    pub async fn wait_printed(&self, wanted: &str, deadline: Duration) -> Result<(), ProcessError> {
        eventually(deadline, async || {
            let output = self.output();
            if output.contains(wanted) {
                return Ok(());
            }
            Err(ProcessError::Unprinted {
                name: self.name.clone(),
                wanted: wanted.to_owned(),
                waited: deadline,
                output,
            })
        })
        .await
    }

    /// Everything it has printed so far, both streams, in the order it arrived.
    #[must_use]
    pub fn output(&self) -> String {
        self.output
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Everything it has printed so far on standard error.
    #[must_use]
    pub fn errors(&self) -> String {
        self.errors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    fn signal(&self, signal: Signal) -> Result<(), ProcessError> {
        kill_process(Pid::from_child(&self.child), signal)
            .map_err(|errno| self.system(errno.into()))
    }

    fn system(&self, source: std::io::Error) -> ProcessError {
        ProcessError::System {
            name: self.name.clone(),
            source,
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the child has ended and been reaped before, which is fine.
        drop(self.child.kill());
        drop(self.child.wait());
        for reader in self.readers.drain(..) {
            drop(reader.join());
        }
        if std::thread::panicking() {
            eprintln!("--- output of {} ---\n{}", self.name, self.output());
        }
    }
}

type Pipe = Box<dyn Read + Send>;

fn collect(pipe: Pipe, texts: &[Arc<Mutex<String>>]) {
    let mut lines = BufReader::new(pipe);
    let mut line = Vec::new();
    while matches!(lines.read_until(b'\n', &mut line), Ok(count) if count > 0) {
        for text in texts {
            text.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
        }
        line.clear();
    }
}
