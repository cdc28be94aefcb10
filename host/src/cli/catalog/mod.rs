//! `chancery catalog …`: what the whole datacenter knows.
//!
//! Texts and exit codes are those of `consul catalog` 1.8; nothing found is a line on standard
//! error and exit code 0.

mod datacenters;
mod nodes;
mod services;

use clap::Subcommand;

use super::context::{self, Context};

/// Look into the catalog of services and nodes
#[derive(Debug, Subcommand)]
pub(super) enum Catalog {
    Datacenters(Box<datacenters::Datacenters>),
    Nodes(Box<nodes::Nodes>),
    Services(Box<services::Services>),
}

impl Catalog {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = match self {
            Self::Datacenters(command) => command.run(context),
            Self::Nodes(command) => command.run(context),
            Self::Services(command) => command.run(context),
        };
        context::finish(context, result)
    }
}

/// The query of a list that may be limited to nodes with some metadata.
fn with_meta<'a>(
    mut query: Vec<(&'a str, &'a str)>,
    node_meta: &'a [String],
) -> Vec<(&'a str, &'a str)> {
    // The API has `key:value` in the query where the flag has `key=value`.
    query.extend(node_meta.iter().map(|pair| ("node-meta", pair.as_str())));
    query
}

/// `key=value` of a flag as `key:value` of the API.
fn parse_meta(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some((key, value)) => Ok(format!("{key}:{value}")),
        None => Err(format!("Missing \"=\" value in argument: {text}")),
    }
}
