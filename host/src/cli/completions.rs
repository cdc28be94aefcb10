//! `chancery completions`.

use clap::{Args, CommandFactory as _, ValueEnum};
use clap_complete::{Shell, generate};

use super::context::Context;

/// Print the completions of a shell: `source <(chancery completions bash)`
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// The shell
    shell: Supported,
}

/// The shells that we know to take them.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Supported {
    Bash,
    Fish,
    Zsh,
}

impl Completions {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let shell = match self.shell {
            Supported::Bash => Shell::Bash,
            Supported::Fish => Shell::Fish,
            Supported::Zsh => Shell::Zsh,
        };
        let mut script = Vec::new();
        generate(
            shell,
            &mut super::Arguments::command(),
            "chancery",
            &mut script,
        );
        context.print(String::from_utf8_lossy(&script).trim_end());
        0
    }
}
