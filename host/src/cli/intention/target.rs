//! What the commands know of an intention: its names, and how it is found by them.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;

use crate::cli::context::Failure;
use crate::client::{Client, ClientError, segment};
use crate::telemetry::escaped;

/// The fields of Consul's JSON that the commands show or send.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct Row {
    #[serde(rename = "ID")]
    pub(super) id: String,
    pub(super) description: String,
    #[serde(rename = "SourceNS")]
    pub(super) source_namespace: String,
    pub(super) source_name: String,
    #[serde(rename = "DestinationNS")]
    pub(super) destination_namespace: String,
    pub(super) destination_name: String,
    pub(super) action: String,
    pub(super) meta: Option<BTreeMap<String, String>>,
    pub(super) precedence: i64,
    pub(super) created_at: String,
}

impl Row {
    pub(super) fn source(&self) -> String {
        shown(&self.source_namespace, &self.source_name)
    }

    pub(super) fn destination(&self) -> String {
        shown(&self.destination_namespace, &self.destination_name)
    }
}

impl fmt::Display for Row {
    /// `web => db (allow)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (source, destination) = (self.source(), self.destination());
        write!(f, "{source} => {destination} ({})", self.action)
    }
}

/// `web`, or `team/web` outside the default namespace.
fn shown(namespace: &str, name: &str) -> String {
    if namespace.is_empty() || namespace == DEFAULT {
        escaped(name)
    } else {
        escaped(&format!("{namespace}/{name}"))
    }
}

/// Splits `namespace/name`; `role` is the side of the intention, for the error.
pub(super) fn split(text: &str, role: &str) -> Result<(String, String), Failure> {
    match text.split_once('/') {
        None => Ok((DEFAULT.to_owned(), text.to_owned())),
        Some((namespace, name)) if !name.contains('/') => {
            Ok((namespace.to_owned(), name.to_owned()))
        }
        Some(_) => Err(Failure::new(format!(
            "Error: Invalid intention {role}: target can contain at most one '/'"
        ))),
    }
}

/// All intentions in the agent's order, as JSON.
pub(super) async fn list(client: &Client) -> Result<Vec<serde_json::Value>, ClientError> {
    let answer = client.get(PATH, &[]).await?;
    let rows: Option<Vec<serde_json::Value>> = answer.json()?;
    Ok(rows.unwrap_or_default())
}

/// The id that arguments mean: an id, or the two names of an intention, compared exactly.
pub(super) async fn id_of(client: &Client, arguments: &[String]) -> Result<String, Failure> {
    let (source, destination) = match arguments {
        [id] => return Ok(id.clone()),
        [source, destination] => (source, destination),
        _ => {
            return Err(Failure::new(
                "Error: command requires exactly 1 or 2 arguments",
            ));
        }
    };
    let wanted = (split(source, "source")?, split(destination, "destination")?);
    match find(client, &wanted.0, &wanted.1).await? {
        Some(row) => Ok(row.id),
        None => Err(Failure::new(format!(
            "Error: Intention with source {source:?} and destination {destination:?} not found."
        ))),
    }
}

/// The intention between two names, if there is one.
pub(super) async fn find(
    client: &Client,
    source: &(String, String),
    destination: &(String, String),
) -> Result<Option<Row>, Failure> {
    let listed = list(client)
        .await
        .map_err(|error| Failure::new(format!("Error reading the intention: {error}")))?;
    let rows = listed
        .into_iter()
        .filter_map(|row| serde_json::from_value::<Row>(row).ok());
    let same = |namespace: &str, name: &str, wanted: &(String, String)| {
        let namespace = if namespace.is_empty() {
            DEFAULT
        } else {
            namespace
        };
        namespace == wanted.0 && name == wanted.1
    };
    Ok(rows.into_iter().find(|row| {
        same(&row.source_namespace, &row.source_name, source)
            && same(
                &row.destination_namespace,
                &row.destination_name,
                destination,
            )
    }))
}

/// The path of one intention.
pub(super) fn path(id: &str) -> String {
    format!("{PATH}/{}", segment(id))
}

pub(super) const PATH: &str = "/v1/connect/intentions";
const DEFAULT: &str = "default";
