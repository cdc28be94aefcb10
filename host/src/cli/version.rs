//! `chancery version`.

use clap::Args;
use serde_json::json;

use super::context::Context;

/// Print the version
#[derive(Debug, Args)]
pub(super) struct Version {
    /// How to print it
    #[arg(long, value_parser = ["pretty", "json"], default_value = "pretty")]
    format: String,
}

impl Version {
    pub(super) fn run(&self, context: &mut Context<'_>) -> u8 {
        let version = env!("CARGO_PKG_VERSION");
        if self.format == "json" {
            context.print_json(&json!({ "Version": version }));
        } else {
            context.print(format_args!("Chancery v{version}"));
        }
        0
    }
}
