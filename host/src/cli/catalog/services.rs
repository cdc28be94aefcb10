//! `chancery catalog services`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::{parse_meta, with_meta};
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::{Output, table};
use crate::client::{Client, ClientError, segment};
use crate::telemetry::escaped;

/// List the services of a datacenter
#[derive(Debug, Args)]
pub(crate) struct Services {
    /// Only services on this node, by its name or id
    #[arg(long, value_name = "NODE")]
    node: Option<String>,
    /// Only services on nodes with this metadata, may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = parse_meta)]
    node_meta: Vec<String>,
    /// Show the tags beside each service
    #[arg(long)]
    tags: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

/// Each name once, with the tags of all its instances.
type Tags = BTreeMap<String, BTreeSet<String>>;

/// A node with what runs on it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    services: Option<BTreeMap<String, Instance>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Instance {
    service: String,
    tags: Option<Vec<String>>,
}

impl Services {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let asked = Context::wait_for(self.ask(&client))?;
        let services = asked.map_err(|error| {
            let place = if self.node.is_some() { " for node" } else { "" };
            Failure::new(format!("Error listing services{place}: {error}"))
        })?;
        if self.output.is_json() {
            context.print_json(&json!(services));
            return Ok(0);
        }
        if services.is_empty() {
            context.complain("No services match the given query - try expanding your search.");
            return Ok(0);
        }
        if self.tags {
            let cells: Vec<_> = services
                .iter()
                .map(|(name, tags)| {
                    let tags: Vec<_> = tags.iter().map(String::as_str).collect();
                    [escaped(name), escaped(&tags.join(","))]
                })
                .collect();
            for line in table(&cells, TAGS_GAP) {
                context.print(line);
            }
        } else {
            for name in services.keys() {
                context.print(escaped(name));
            }
        }
        Ok(0)
    }

    async fn ask(&self, client: &Client) -> Result<Tags, ClientError> {
        let query = with_meta(Vec::new(), &self.node_meta);
        let Some(node) = &self.node else {
            let answer = client.get("/v1/catalog/services", &query).await?;
            let found: BTreeMap<String, Option<BTreeSet<String>>> = answer.json()?;
            return Ok(found
                .into_iter()
                .map(|(name, tags)| (name, tags.unwrap_or_default()))
                .collect());
        };
        let path = format!("/v1/catalog/node/{}", segment(node));
        let found: Option<Node> = client.get(&path, &query).await?.json()?;
        let mut services = Tags::new();
        let instances = found.and_then(|node| node.services).unwrap_or_default();
        for instance in instances.into_values() {
            let tags = services.entry(instance.service).or_default();
            tags.extend(instance.tags.into_iter().flatten());
        }
        Ok(services)
    }
}

const TAGS_GAP: usize = 6;
