//! `chancery intention get`.

use chancery_core::Timestamp;
use clap::Args;
use http::StatusCode;
use serde_json::Value;

use super::target::{self, Row};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::{Client, ClientError};
use crate::telemetry::escaped;

/// Show one intention: SOURCE DESTINATION, or its ID
#[derive(Debug, Args)]
pub(crate) struct Get {
    /// SOURCE DESTINATION, or ID
    arguments: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Get {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let json = Context::wait_for(read(&client, &self.arguments))??;
        if self.output.is_json() {
            context.print_json(&json);
            return Ok(0);
        }
        let row: Row = serde_json::from_value(json)
            .map_err(|error| Failure::new(format!("Error reading the intention: {error}")))?;
        for line in lines(&row) {
            context.print(line);
        }
        Ok(0)
    }
}

async fn read(client: &Client, arguments: &[String]) -> Result<Value, Failure> {
    let id = target::id_of(client, arguments).await?;
    let read = client.get(&target::path(&id), &[]).await;
    match read.and_then(|answer| answer.json()) {
        Ok(json) => Ok(json),
        Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
            let line = format!("Error: Intention with ID {id:?} not found.");
            Err(Failure::new(line))
        }
        // Consul's client words this one request's errors differently.
        Err(ClientError::Status { status, body }) => {
            let code = status.as_u16();
            let line = format!("Error reading the intention: Unexpected response {code}: {body}");
            Err(Failure::new(line))
        }
        Err(error) => Err(Failure::new(format!(
            "Error reading the intention: {error}"
        ))),
    }
}

/// Names and values in two columns.
fn lines(row: &Row) -> Vec<String> {
    let mut pairs = vec![
        ("Source:".to_owned(), row.source()),
        ("Destination:".to_owned(), row.destination()),
        ("Action:".to_owned(), row.action.clone()),
        ("ID:".to_owned(), row.id.clone()),
    ];
    if !row.description.is_empty() {
        pairs.push(("Description:".to_owned(), escaped(&row.description)));
    }
    for (key, value) in row.meta.iter().flatten() {
        pairs.push((escaped(&format!("Meta[{key}]:")), escaped(value)));
    }
    pairs.push(("Created At:".to_owned(), created(&row.created_at)));
    let width = pairs
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or_default();
    pairs
        .into_iter()
        .map(|(name, value)| format!("{name:width$}  {value}"))
        .collect()
}

/// `Tuesday, 24-Nov-26 16:35:01 UTC` (RFC 850, always in UTC); what is no time stays as it is.
fn created(text: &str) -> String {
    let Some(time) = Timestamp::parse(text) else {
        return text.to_owned();
    };
    let (year, month, day, hour, minute, second) = time.civil();
    let days = time.unix_seconds().div_euclid(86_400);
    let weekday = pick(&WEEKDAYS, days.rem_euclid(7));
    let month = pick(&MONTHS, month - 1);
    let year = year.rem_euclid(100);
    format!("{weekday}, {day:02}-{month}-{year:02} {hour:02}:{minute:02}:{second:02} UTC")
}

fn pick<'a>(names: &[&'a str], index: i64) -> &'a str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index))
        .copied()
        .unwrap_or_default()
}

/// The first of January 1970 was a Thursday.
const WEEKDAYS: [&str; 7] = [
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
];

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_creation_is_told_with_its_weekday() {
        assert_eq!(
            created("2026-11-24T16:35:01.123456789Z"),
            "Tuesday, 24-Nov-26 16:35:01 UTC"
        );
        assert_eq!(
            created("2000-02-29T00:00:00Z"),
            "Tuesday, 29-Feb-00 00:00:00 UTC"
        );
        assert_eq!(created("yesterday"), "yesterday");
    }
}
