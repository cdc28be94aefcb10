//! What a command has of its surroundings: two outputs and the environment.

use std::fmt::Display;
use std::future::Future;
use std::io::Write;

/// Handed to every command, so that tests can be its surroundings.
pub(super) struct Context<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) err: &'a mut dyn Write,
    /// A variable of the environment, if it is set and not empty.
    pub(super) variable: &'a dyn Fn(&str) -> Option<String>,
}

impl Context<'_> {
    /// A line on standard output.
    ///
    /// Nobody is left to hear about a closed pipe; the exit code stays what the command did.
    pub(super) fn print(&mut self, line: impl Display) {
        let _ = writeln!(self.out, "{line}");
    }

    /// A line on standard error.
    pub(super) fn complain(&mut self, line: impl Display) {
        let _ = writeln!(self.err, "{line}");
    }

    /// JSON with two blanks of indentation on standard output.
    pub(super) fn print_json(&mut self, value: &serde_json::Value) {
        self.print(format_args!("{value:#}"));
    }

    /// Runs what a command has to ask for.
    ///
    /// # Errors
    /// A line to say when no runtime can be had.
    pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, String> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map(|runtime| runtime.block_on(work))
            .map_err(|error| format!("Error: cannot start: {error}"))
    }
}

/// Runs a command's work, which ends with an exit code or a line for standard error.
pub(super) fn finish(context: &mut Context<'_>, result: Result<u8, Failure>) -> u8 {
    match result {
        Ok(code) => code,
        Err(failure) => {
            context.complain(failure.line);
            failure.code
        }
    }
}

/// How a command fails.
#[derive(Debug)]
pub(super) struct Failure {
    line: String,
    code: u8,
}

impl Failure {
    /// With exit code 1.
    pub(super) fn new(line: impl Into<String>) -> Self {
        Self {
            line: line.into(),
            code: 1,
        }
    }

    /// With another exit code, where 1 means something else.
    pub(super) const fn with_code(mut self, code: u8) -> Self {
        self.code = code;
        self
    }
}

impl From<String> for Failure {
    fn from(line: String) -> Self {
        Self::new(line)
    }
}
