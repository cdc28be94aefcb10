//! `chancery version`.

use clap::Args;
use serde_json::json;

use super::context::Context;
use super::output::Output;

/// Print the version
#[derive(Debug, Args)]
pub(super) struct Version {
    #[command(flatten)]
    output: Output,
}

impl Version {
    pub(super) fn run(&self, context: &mut Context<'_>) -> u8 {
        let version = env!("CARGO_PKG_VERSION");
        if self.output.is_json() {
            context.print_json(&json!({ "Version": version }));
        } else {
            context.print(format_args!("Chancery v{version}"));
        }
        0
    }
}
