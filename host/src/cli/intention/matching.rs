//! `chancery intention match`.

use std::collections::BTreeMap;

use clap::Args;
use serde_json::Value;

use super::target::{PATH, Row};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::{Client, ClientError};

/// List the intentions that a service has a part in, in the order in which they are asked
#[derive(Debug, Args)]
pub(crate) struct Match {
    /// The service
    arguments: Vec<String>,
    /// Match it as destination (the default)
    #[arg(long)]
    destination: bool,
    /// Match it as source
    #[arg(long)]
    source: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Match {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let [name] = self.arguments.as_slice() else {
            let line = "Error: command requires exactly one argument: src or dst";
            return Err(Failure::new(line));
        };
        if self.source && self.destination {
            let line = "Error: only one of -source or -destination may be specified";
            return Err(Failure::new(line));
        }
        let failed = |error| Failure::new(format!("Error matching the connection: {error}"));
        let by = if self.source { "source" } else { "destination" };
        let client = self.connection.client(context)?;
        let rows = Context::wait_for(ask(&client, by, name))?.map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&Value::Array(rows));
            return Ok(0);
        }
        for row in rows {
            let row: Row = serde_json::from_value(row)
                .map_err(ClientError::Json)
                .map_err(failed)?;
            context.print(row);
        }
        Ok(0)
    }
}

async fn ask(client: &Client, by: &str, name: &str) -> Result<Vec<Value>, ClientError> {
    let query = [("by", by), ("name", name)];
    let answer = client.get(&format!("{PATH}/match"), &query).await?;
    // The answer has the name as it was asked for, and null when nothing matches.
    let lists: BTreeMap<String, Option<Vec<Value>>> = answer.json()?;
    Ok(lists.into_values().flatten().flatten().collect())
}
