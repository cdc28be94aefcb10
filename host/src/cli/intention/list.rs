//! `chancery intention list`.

use clap::Args;
use serde_json::Value;

use super::target::{self, Row};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::{Output, table};

/// List all intentions, the most exact first
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let rows = Context::wait_for(target::list(&client))?
            .map_err(|error| Failure::new(format!("Error listing intentions: {error}")))?;
        if self.output.is_json() {
            context.print_json(&Value::Array(rows));
            return Ok(0);
        }
        let rows: Vec<Row> = rows
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()
            .map_err(|error| Failure::new(format!("Error listing intentions: {error}")))?;
        if rows.is_empty() {
            context.complain("There are no intentions.");
            return Ok(0);
        }
        for line in lines(&rows) {
            context.print(line);
        }
        Ok(0)
    }
}

fn lines(rows: &[Row]) -> Vec<String> {
    let head = ["ID", "Source", "Action", "Destination", "Precedence"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        [
            row.id.clone(),
            row.source(),
            row.action.clone(),
            row.destination(),
            row.precedence.to_string(),
        ]
    });
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    table(&cells, 2)
}
