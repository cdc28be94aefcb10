//! `chancery members`.

use std::collections::BTreeMap;

use clap::Args;
use regex_lite::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::connection::Access;
use super::context::{Context, Failure, finish};
use super::output::{Output, pairs, table};
use crate::client::ClientError;
use crate::telemetry::escaped;

/// List the agents that know of each other; the exit code is 2 if there is none
#[derive(Debug, Args)]
pub(super) struct Members {
    /// All tags instead of the usual columns
    #[arg(long)]
    detailed: bool,
    /// Only members of this segment
    #[arg(long, value_name = "NAME", default_value = "_all")]
    segment: String,
    /// Only members whose status this expression matches: alive, leaving, left, failed
    #[arg(long, value_name = "REGEXP", default_value = ".*")]
    status: String,
    /// The servers of all datacenters instead of the members of this one
    #[arg(long)]
    wan: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    access: Access,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Member {
    name: String,
    addr: String,
    port: u16,
    tags: BTreeMap<String, String>,
    status: u64,
}

impl Members {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = self.list(context);
        finish(context, result)
    }

    fn list(&self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error| Failure::new(format!("Error retrieving members: {error}"));
        let wanted = Regex::new(&self.status)
            .map_err(|error| Failure::new(format!("Failed to compile status regexp: {error}")))?;
        let client = self.access.connect(context)?;
        let mut query = vec![("segment", self.segment.as_str())];
        if self.wan {
            query.push(("wan", "1"));
        }
        let answer = Context::wait_for(client.get("/v1/agent/members", &query))?;
        let found: Option<Vec<Value>> = answer.and_then(|answer| answer.json()).map_err(failed)?;
        let mut members = Vec::new();
        for json in found.unwrap_or_default() {
            let member = Member::read(&json).map_err(failed)?;
            if wanted.is_match(member.status()) {
                members.push((member, json));
            }
        }
        members.sort_by(|(a, _), (b, _)| a.place().cmp(&b.place()));
        if self.output.is_json() {
            let list = members.iter().map(|(_, json)| json.clone());
            context.print_json(&list.collect());
        } else if !members.is_empty() {
            let members: Vec<_> = members.iter().map(|(member, _)| member).collect();
            let lines = if self.detailed {
                detailed(&members)
            } else {
                standard(&members)
            };
            for line in lines {
                context.print(line);
            }
        }
        Ok(if members.is_empty() { NOBODY } else { 0 })
    }
}

impl Member {
    /// A member whose segment has a name: servers are in all of them.
    fn read(json: &Value) -> Result<Self, ClientError> {
        let mut member = Self::deserialize(json).map_err(ClientError::Json)?;
        let segment = member.tags.entry("segment".to_owned()).or_default();
        if segment.is_empty() {
            "<default>".clone_into(segment);
        }
        if member.tag("role") == "consul" {
            let all = "<all>".to_owned();
            member.tags.insert("segment".to_owned(), all);
        }
        Ok(member)
    }

    fn tag(&self, name: &str) -> &str {
        self.tags.get(name).map_or("", String::as_str)
    }

    fn place(&self) -> (&str, &str) {
        (&self.name, self.tag("segment"))
    }

    fn address(&self) -> String {
        if self.addr.contains(':') {
            format!("[{}]:{}", self.addr, self.port)
        } else {
            format!("{}:{}", self.addr, self.port)
        }
    }

    const fn status(&self) -> &'static str {
        match self.status {
            0 => "none",
            1 => "alive",
            2 => "leaving",
            3 => "left",
            4 => "failed",
            _ => "unknown",
        }
    }

    /// `1.8.7` of the tag `1.8.7:<revision>`.
    fn build(&self) -> &str {
        match self.tag("build") {
            "" => "< 0.3",
            build => build.split(':').next().unwrap_or(build),
        }
    }
}

fn standard(members: &[&Member]) -> Vec<String> {
    let head = [
        "Node", "Address", "Status", "Type", "Build", "Protocol", "DC", "Segment",
    ]
    .map(str::to_owned);
    let cells = members.iter().map(|member| {
        let kind = match member.tag("role") {
            "consul" => "server",
            "node" => "client",
            _ => "unknown",
        };
        let known = |text: &str| {
            if kind == "unknown" {
                String::new()
            } else {
                escaped(text)
            }
        };
        [
            escaped(&member.name),
            escaped(&member.address()),
            member.status().to_owned(),
            kind.to_owned(),
            known(member.build()),
            known(member.tag("vsn")),
            known(member.tag("dc")),
            known(member.tag("segment")),
        ]
    });
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    table(&cells, 2)
}

fn detailed(members: &[&Member]) -> Vec<String> {
    let head = ["Node", "Address", "Status", "Tags"].map(str::to_owned);
    let cells = members.iter().map(|member| {
        [
            escaped(&member.name),
            escaped(&member.address()),
            member.status().to_owned(),
            escaped(&pairs(&member.tags, ",")),
        ]
    });
    let cells: Vec<_> = std::iter::once(head).chain(cells).collect();
    table(&cells, 2)
}

/// As `grep` does: nothing is wrong, but nothing was found.
const NOBODY: u8 = 2;
