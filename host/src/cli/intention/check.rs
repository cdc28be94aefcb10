//! `chancery intention check`.

use clap::Args;
use serde::Deserialize;

use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::{Client, ClientError};

/// Ask whether SOURCE may connect to DESTINATION; the exit code is 0 for yes, 1 for no
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// SOURCE DESTINATION
    arguments: Vec<String>,
    /// Say which intention decides, what it shadows, and the smallest change that would flip
    /// the answer
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// Consul's answer and the part of ours that decides the exit code.
#[derive(Debug, Deserialize)]
struct Verdict {
    #[serde(alias = "Allowed")]
    allowed: bool,
    #[serde(default)]
    text: String,
}

impl Check {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let [source, destination] = self.arguments.as_slice() else {
            let line = "Error: command requires exactly two arguments: src and dst";
            return Err(Failure::new(line).with_code(FAILED));
        };
        let failed = |error| {
            Failure::new(format!("Error checking the connection: {error}")).with_code(FAILED)
        };
        let client = self
            .connection
            .client(context)
            .map_err(|failure| failure.with_code(FAILED))?;
        let answered = Context::wait_for(ask(&client, source, destination, self.explain))?;
        let (json, verdict) = answered.map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&json);
        } else if self.explain {
            context.print(verdict.text.trim_end());
        } else {
            context.print(if verdict.allowed { "Allowed" } else { "Denied" });
        }
        Ok(if verdict.allowed { 0 } else { DENIED })
    }
}

async fn ask(
    client: &Client,
    source: &str,
    destination: &str,
    explain: bool,
) -> Result<(serde_json::Value, Verdict), ClientError> {
    let mut query = vec![("source", source), ("destination", destination)];
    let path = if explain {
        "/v1/chancery/intentions/explain"
    } else {
        query.push(("source-type", "consul"));
        "/v1/connect/intentions/check"
    };
    let answer = client.get(path, &query).await?;
    Ok((answer.json()?, answer.json()?))
}

const DENIED: u8 = 1;
const FAILED: u8 = 2;
