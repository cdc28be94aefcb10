//! `chancery connect ca csr`, `set-signed` and `abandon`: an intermediate that somebody outside
//! signs, and giving up.

use clap::Args;
use serde_json::json;

use super::configuration::configuration;
use super::read;
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;

/// Print the request of the intermediate that is to be signed outside
#[derive(Debug, Args)]
pub(crate) struct Csr {
    /// Begin the change to this configuration; its ExternalIntermediate says that somebody
    /// outside signs
    #[arg(long, value_name = "FILE")]
    config_file: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Csr {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let body = match &self.config_file {
            Some(name) => Some(configuration(&read(name)?, name)?.into()),
            None => None,
        };
        let client = self.connection.client(context)?;
        let answer = Context::wait_for(client.put("/v1/chancery/ca/csr", &[], body.as_ref()))?;
        let answer = answer
            .map_err(|error| Failure::new(format!("Error asking for the request: {error}")))?;
        let request = String::from_utf8_lossy(answer.body());
        if self.output.is_json() {
            context.print_json(&json!({ "CSR": request.trim_end() }));
        } else {
            context.print(request.trim_end());
        }
        Ok(0)
    }
}

/// Hand in the intermediate that was signed outside
#[derive(Debug, Args)]
pub(crate) struct SetSigned {
    /// The certificate in PEM, then those that lead to the root; `-` is standard input
    #[arg(value_name = "FILE")]
    file: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl SetSigned {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let chain = read(&self.file)?;
        let client = self.connection.client(context)?;
        Context::wait_for(client.put_text("/v1/chancery/ca/signed", chain))?
            .map_err(|error| Failure::new(format!("Error handing in the certificate: {error}")))?;
        if self.output.is_json() {
            context.print_json(&json!({ "Accepted": true }));
        } else {
            context.print("Intermediate accepted! It signs from now on.");
        }
        Ok(0)
    }
}

/// Give up the change that is under way
#[derive(Debug, Args)]
pub(crate) struct Abandon {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Abandon {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        Context::wait_for(client.put("/v1/chancery/ca/abandon", &[], None))?
            .map_err(|error| Failure::new(format!("Error giving up the change: {error}")))?;
        if self.output.is_json() {
            context.print_json(&json!({ "Abandoned": true }));
        } else {
            context.print("Change given up.");
        }
        Ok(0)
    }
}
