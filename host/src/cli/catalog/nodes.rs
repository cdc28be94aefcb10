//! `chancery catalog nodes`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::{parse_meta, with_meta};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::{Output, pairs, table};
use crate::client::{Client, ClientError, segment};
use crate::telemetry::escaped;

/// List the nodes of a datacenter
#[derive(Debug, Args)]
pub(crate) struct Nodes {
    /// Whole ids, tagged addresses and metadata too
    #[arg(long)]
    detailed: bool,
    /// Only nodes that this expression is true of
    #[arg(long, value_name = "EXPRESSION")]
    filter: Option<String>,
    /// Sort by the distance from this node
    #[arg(long, value_name = "NODE")]
    near: Option<String>,
    /// Only nodes with this metadata, may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    node_meta: Vec<String>,
    /// Only nodes on which this service runs
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// What is shown of a node. An instance of a service names its node in the same fields, all but
/// the metadata.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Row {
    #[serde(rename = "ID")]
    id: String,
    node: String,
    address: String,
    datacenter: String,
    tagged_addresses: Option<BTreeMap<String, String>>,
    #[serde(alias = "NodeMeta")]
    meta: Option<BTreeMap<String, String>>,
}

impl Nodes {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error| Failure::new(format!("Error listing nodes: {error}"));
        let client = self.connection.client(context)?;
        let found = Context::wait_for(self.ask(&client))?.map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&Value::Array(found));
            return Ok(0);
        }
        let rows: Vec<Row> = found
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<_, _>>()
            .map_err(ClientError::Json)
            .map_err(failed)?;
        if rows.is_empty() {
            context.complain("No nodes match the given query - try expanding your search.");
            return Ok(0);
        }
        let lines = if self.detailed {
            detailed(&rows)
        } else {
            brief(&rows)
        };
        for line in lines {
            context.print(line);
        }
        Ok(0)
    }

    /// The nodes; each of them once, however many instances of the service it has.
    async fn ask(&self, client: &Client) -> Result<Vec<Value>, ClientError> {
        let mut query = Vec::new();
        query.extend(self.filter.as_deref().map(|filter| ("filter", filter)));
        query.extend(self.near.as_deref().map(|near| ("near", near)));
        let query = with_meta(query, &self.node_meta);
        let Some(service) = &self.service else {
            let answer = client.get("/v1/catalog/nodes", &query).await?;
            return Ok(answer.json::<Option<_>>()?.unwrap_or_default());
        };
        let path = format!("/v1/catalog/service/{}", segment(service));
        let instances: Option<Vec<Value>> = client.get(&path, &query).await?.json()?;
        let mut seen = BTreeSet::new();
        let nodes = instances.unwrap_or_default().into_iter();
        Ok(nodes
            .filter(|instance| seen.insert(instance.get("Node").map(ToString::to_string)))
            .map(node_of)
            .collect())
    }
}

/// The node in what the catalog says of an instance, in the fields of a node.
fn node_of(instance: Value) -> Value {
    let Value::Object(mut instance) = instance else {
        return instance;
    };
    let names = [
        ("ID", "ID"),
        ("Node", "Node"),
        ("Address", "Address"),
        ("Datacenter", "Datacenter"),
        ("TaggedAddresses", "TaggedAddresses"),
        ("NodeMeta", "Meta"),
    ];
    let fields = names
        .iter()
        .filter_map(|(from, to)| Some(((*to).to_owned(), instance.remove(*from)?)));
    Value::Object(fields.collect())
}

fn brief(rows: &[Row]) -> Vec<String> {
    let head = ["Node", "ID", "Address", "DC"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let id = row.id.chars().take(SHORT_ID).collect::<String>();
        [&row.node, &id, &row.address, &row.datacenter].map(|cell| escaped(cell))
    });
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    table(&cells, 2)
}

fn detailed(rows: &[Row]) -> Vec<String> {
    let head = ["Node", "ID", "Address", "DC", "TaggedAddresses", "Meta"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let addresses = pairs(row.tagged_addresses.iter().flatten(), ", ");
        let meta = pairs(row.meta.iter().flatten(), ", ");
        [
            &row.node,
            &row.id,
            &row.address,
            &row.datacenter,
            &addresses,
            &meta,
        ]
        .map(|cell| escaped(cell))
    });
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    table(&cells, 2)
}

const SHORT_ID: usize = 8;
