//! `chancery intention create`.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;

use clap::Args;
use serde_json::{Map, Value, json};

use super::target::{self, Row};
use crate::cli::connection::{Connection, system_text};
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::Client;

/// Create intentions: SOURCE DESTINATION, or from files with -file
#[derive(Debug, Args)]
pub(crate) struct Create {
    /// SOURCE DESTINATION, or files
    arguments: Vec<String>,
    /// Let the source connect (the default)
    #[arg(long)]
    allow: bool,
    /// Refuse the source
    #[arg(long)]
    deny: bool,
    /// The arguments are JSON files with one intention each; `-` is standard input
    #[arg(long)]
    file: bool,
    /// Replace the intention between the same names
    #[arg(long)]
    replace: bool,
    /// Metadata, may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_pair)]
    meta: Vec<(String, String)>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Create {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        if self.allow && self.deny {
            return Err(Failure::new(
                "Only one of -allow or -deny may be specified.",
            ));
        }
        let bodies = if self.file {
            self.read_files()?
        } else {
            vec![self.described_by_arguments()?]
        };
        let client = self.connection.client(context)?;
        Context::wait_for(async {
            let mut all = Vec::new();
            for body in bodies {
                let done = put(&client, body, self.replace).await?;
                if self.output.is_json() {
                    all.push(done.to_json());
                } else {
                    context.print(done);
                }
            }
            if self.output.is_json() {
                context.print_json(&Value::Array(all));
            }
            Ok(0)
        })?
    }

    fn described_by_arguments(&self) -> Result<Map<String, Value>, Failure> {
        let [source, destination] = self.arguments.as_slice() else {
            let line = "Error: Must specify two arguments: source and destination";
            return Err(Failure::new(line));
        };
        let source = target::split(source, "source")?;
        let destination = target::split(destination, "destination")?;
        let meta: BTreeMap<_, _> = self.meta.iter().cloned().collect();
        let mut body = empty();
        body.insert("SourceNS".to_owned(), source.0.into());
        body.insert("SourceName".to_owned(), source.1.into());
        body.insert("DestinationNS".to_owned(), destination.0.into());
        body.insert("DestinationName".to_owned(), destination.1.into());
        let action = if self.deny { "deny" } else { "allow" };
        body.insert("Action".to_owned(), action.into());
        if !meta.is_empty() {
            body.insert("Meta".to_owned(), json!(meta));
        }
        Ok(body)
    }

    fn read_files(&self) -> Result<Vec<Map<String, Value>>, Failure> {
        if self.arguments.is_empty() {
            return Err(Failure::new("Error: -file needs at least one file"));
        }
        self.arguments.iter().map(|name| from_file(name)).collect()
    }
}

/// Creates or replaces, and says which.
async fn put(
    client: &Client,
    mut body: Map<String, Value>,
    replace: bool,
) -> Result<Done, Failure> {
    let row: Row = serde_json::from_value(Value::Object(body.clone()))
        .map_err(|error| Failure::new(format!("Error: {error}")))?;
    let failed = |error| Failure::new(format!("Error creating intention \"{row}\": {error}"));
    let names = |namespace: &str, name: &str| {
        let namespace = if namespace.is_empty() {
            "default"
        } else {
            namespace
        };
        (namespace.to_owned(), name.to_owned())
    };
    if replace {
        let source = names(&row.source_namespace, &row.source_name);
        let destination = names(&row.destination_namespace, &row.destination_name);
        if let Some(old) = target::find(client, &source, &destination).await? {
            body.insert("ID".to_owned(), old.id.clone().into());
            let path = target::path(&old.id);
            client
                .put(&path, &[], Some(&body.into()))
                .await
                .map_err(failed)?;
            return Ok(Done {
                replaced: true,
                id: old.id,
                row,
            });
        }
    }
    let answer = client.post(target::PATH, &body.into()).await;
    let made: Row = answer.and_then(|made| made.json()).map_err(failed)?;
    Ok(Done {
        replaced: false,
        id: made.id,
        row,
    })
}

/// What became of one intention.
struct Done {
    replaced: bool,
    id: String,
    row: Row,
}

impl Done {
    fn to_json(&self) -> Value {
        json!({
            "ID": self.id, "Replaced": self.replaced, "SourceName": self.row.source_name,
            "DestinationName": self.row.destination_name, "Action": self.row.action,
        })
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = if self.replaced { "Replaced" } else { "Created" };
        write!(f, "{verb}: {}", self.row)
    }
}

/// Reads one intention; keys that Consul does not know are left out, as its command does.
fn from_file(name: &str) -> Result<Map<String, Value>, Failure> {
    let mut text = String::new();
    let read = if name == "-" {
        std::io::stdin().take(MOST).read_to_string(&mut text)
    } else {
        std::fs::File::open(name).and_then(|file| file.take(MOST).read_to_string(&mut text))
    };
    read.map_err(|error| {
        let reason = system_text(&error);
        Failure::new(format!("Error: open {name}: {reason}"))
    })?;
    let given: Map<String, Value> = serde_json::from_str(&text)
        .map_err(|error| Failure::new(format!("Error: {name}: {error}")))?;
    let mut body = empty();
    for (key, value) in given {
        let known = body
            .keys()
            .find(|known| known.eq_ignore_ascii_case(&key))
            .cloned();
        if let Some(known) = known {
            body.insert(known, value);
        }
    }
    Ok(body)
}

/// All fields, as Consul's client sends them.
fn empty() -> Map<String, Value> {
    const NEVER: &str = "0001-01-01T00:00:00Z";
    let mut body = Map::new();
    for (key, value) in [
        ("ID", json!("")),
        ("Description", json!("")),
        ("SourceNS", json!("")),
        ("SourceName", json!("")),
        ("DestinationNS", json!("")),
        ("DestinationName", json!("")),
        ("SourceType", json!("consul")),
        ("Action", json!("")),
        ("DefaultAddr", json!("")),
        ("DefaultPort", json!(0)),
        ("Meta", Value::Null),
        ("Precedence", json!(0)),
        ("CreatedAt", json!(NEVER)),
        ("UpdatedAt", json!(NEVER)),
        ("Hash", Value::Null),
        ("CreateIndex", json!(0)),
        ("ModifyIndex", json!(0)),
    ] {
        body.insert(key.to_owned(), value);
    }
    body
}

fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.to_owned(), value.to_owned())),
        None => Err(format!("Missing \"=\" value in argument: {text}")),
    }
}

/// No intention is longer; a device without end must not fill the memory.
const MOST: u64 = 1024 * 1024;
