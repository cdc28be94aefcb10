//! `chancery validate FILE…`: would an agent start with these files?

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::agent;
use super::context::Context;
use super::output::Output;
use crate::config::{Config, FileFormat, Remark, Sources};

/// Check configuration files and folders, and say everything that is wrong with them
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Files and folders, later ones over earlier ones
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How files are read whose names do not say it
    #[arg(long, value_parser = agent::parse_format, value_name = "hcl|json")]
    config_format: Option<FileFormat>,
    /// Say nothing when all is well
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    output: Output,
}

impl Validate {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        if self.files.is_empty() {
            context.complain("Must specify at least one config file or directory");
            return 1;
        }
        let sources = Sources {
            paths: self.files,
            format: self.config_format,
            hostname: agent::hostname(),
            ..Sources::default()
        };
        match Config::load(&sources) {
            Ok((_, warnings)) if self.output.is_json() => {
                context.print_json(&as_json(&[], &warnings));
                0
            }
            Err(report) if self.output.is_json() => {
                context.print_json(&as_json(report.mistakes(), report.warnings()));
                1
            }
            Ok((_, warnings)) => {
                for warning in warnings {
                    context.complain(format_args!("warning: {warning}"));
                }
                if !self.quiet {
                    context.print("Configuration is valid!");
                }
                0
            }
            Err(report) => {
                context.complain(report);
                1
            }
        }
    }
}

fn as_json(mistakes: &[Remark], warnings: &[Remark]) -> Value {
    let lines = |remarks: &[Remark]| -> Vec<_> { remarks.iter().map(Remark::to_string).collect() };
    json!({
        "Valid": mistakes.is_empty(), "Mistakes": lines(mistakes), "Warnings": lines(warnings),
    })
}
