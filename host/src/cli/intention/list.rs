//! `chancery intention list`.

use clap::Args;
use serde_json::Value;

use super::target::{self, Row};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};

/// List all intentions, the most exact first
#[derive(Debug, Args)]
pub(crate) struct List {
    /// How to print it
    #[arg(long, value_parser = ["pretty", "json"], default_value = "pretty")]
    format: String,
    #[command(flatten)]
    connection: Connection,
}

impl List {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let rows = Context::wait_for(target::list(&client))?
            .map_err(|error| Failure::new(format!("Error listing intentions: {error}")))?;
        if self.format == "json" {
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
        for line in table(&rows) {
            context.print(line);
        }
        Ok(0)
    }
}

/// Columns as wide as their widest cell, two blanks apart.
fn table(rows: &[Row]) -> Vec<String> {
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
    let lines: Vec<_> = std::iter::once(head).chain(cells).collect();
    let mut widths = [0; 5];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    lines
        .iter()
        .map(|line| {
            let padded = line
                .iter()
                .zip(widths)
                .map(|(cell, width)| format!("{cell:width$}"));
            padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
        .collect()
}
