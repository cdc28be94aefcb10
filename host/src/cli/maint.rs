//! `chancery maint`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use super::connection::Access;
use super::context::{Context, Failure, finish};
use super::output::Output;
use crate::client::{Client, ClientError, segment};
use crate::telemetry::escaped;

/// Take the node or one service out of the answers to others, and put it back
///
/// Without -enable and -disable it shows what is in maintenance.
#[derive(Debug, Args)]
pub(super) struct Maint {
    /// Begin
    #[arg(long)]
    enable: bool,
    /// End
    #[arg(long)]
    disable: bool,
    /// Why, for those who will wonder
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// The service with this id instead of the node
    #[arg(long, value_name = "ID")]
    service: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Check {
    #[serde(rename = "CheckID")]
    id: String,
    #[serde(default)]
    notes: String,
    #[serde(rename = "ServiceID", default)]
    service: String,
}

/// The node's name in what the agent says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct About {
    config: Named,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    node_name: String,
}

/// Node or service, and what its maintenance is for.
enum Entry {
    Node { name: String, reason: String },
    Service { id: String, reason: String },
}

impl Maint {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = self.carry_out(context);
        finish(context, result)
    }

    fn carry_out(&self, context: &mut Context<'_>) -> Result<u8, Failure> {
        if self.enable && self.disable {
            return Err(Failure::new(
                "Only one of -enable or -disable may be provided",
            ));
        }
        if self.reason.is_some() && !self.enable {
            return Err(Failure::new("Reason may only be provided with -enable"));
        }
        if self.service.is_some() && !self.enable && !self.disable {
            return Err(Failure::new("Service requires either -enable or -disable"));
        }
        let client = self.access.connect(context)?;
        if self.enable || self.disable {
            self.change(&client, context)
        } else {
            self.show(&client, context)
        }
    }

    fn change(&self, client: &Client, context: &mut Context<'_>) -> Result<u8, Failure> {
        let (what, path) = match &self.service {
            None => ("node", "/v1/agent/maintenance".to_owned()),
            Some(id) => (
                "service",
                format!("/v1/agent/service/maintenance/{}", segment(id)),
            ),
        };
        let enable = if self.enable { "true" } else { "false" };
        let mut query = vec![("enable", enable)];
        query.extend(self.reason.as_deref().map(|reason| ("reason", reason)));
        let verb = if self.enable { "enabling" } else { "disabling" };
        Context::wait_for(client.put(&path, &query, None))?
            .map_err(|error| Failure::new(format!("Error {verb} {what} maintenance: {error}")))?;
        if self.output.is_json() {
            context.print_json(&json!({ "Enabled": self.enable, "ServiceID": self.service }));
            return Ok(0);
        }
        let state = if self.enable { "enabled" } else { "disabled" };
        match &self.service {
            None => context.print(format_args!("Node maintenance is now {state}")),
            Some(id) => context.print(format_args!(
                "Service maintenance is now {state} for {id:?}"
            )),
        }
        Ok(0)
    }

    fn show(&self, client: &Client, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error| Failure::new(format!("Error querying Consul agent: {error}"));
        let entries = Context::wait_for(entries(client))?.map_err(failed)?;
        if self.output.is_json() {
            let list = entries.iter().map(Entry::to_json);
            context.print_json(&list.collect());
            return Ok(0);
        }
        for entry in entries {
            let (head, name, reason) = match &entry {
                Entry::Node { name, reason } => ("Node:\n  Name:  ", name, reason),
                Entry::Service { id, reason } => ("Service:\n  ID:    ", id, reason),
            };
            let (name, reason) = (escaped(name), escaped(reason));
            context.print(format_args!("{head} {name}\n  Reason: {reason}\n"));
        }
        Ok(0)
    }
}

async fn entries(client: &Client) -> Result<Vec<Entry>, ClientError> {
    let about: About = client.get("/v1/agent/self", &[]).await?.json()?;
    let checks: BTreeMap<String, Check> = client.get("/v1/agent/checks", &[]).await?.json()?;
    let entry = |check: Check| {
        let reason = check.notes;
        if check.id == NODE {
            let name = about.config.node_name.clone();
            Some(Entry::Node { name, reason })
        } else if check.id.starts_with(SERVICE) {
            let id = check.service;
            Some(Entry::Service { id, reason })
        } else {
            None
        }
    };
    Ok(checks.into_values().filter_map(entry).collect())
}

impl Entry {
    fn to_json(&self) -> Value {
        match self {
            Self::Node { name, reason } => json!({ "Node": name, "Reason": reason }),
            Self::Service { id, reason } => json!({ "ServiceID": id, "Reason": reason }),
        }
    }
}

/// The check that a node in maintenance has.
const NODE: &str = "_node_maintenance";

/// What the check of a service in maintenance begins with.
const SERVICE: &str = "_service_maintenance:";
