//! `chancery info`.

use std::collections::BTreeMap;

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::connection::Access;
use super::context::{Context, Failure, finish};
use super::output::Output;
use crate::telemetry::escaped;

/// Print figures about the agent, for whoever looks for a fault
#[derive(Debug, Args)]
pub(super) struct Info {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    access: Access,
}

/// What the agent says of itself, as far as it is shown.
#[derive(Debug, Deserialize)]
struct About {
    #[serde(rename = "Stats", default)]
    stats: BTreeMap<String, BTreeMap<String, String>>,
}

impl Info {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = self.show(context);
        finish(context, result)
    }

    fn show(&self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error| Failure::new(format!("Error querying agent: {error}"));
        let client = self.access.connect(context)?;
        let answer = Context::wait_for(client.get("/v1/agent/self", &[]))?;
        let about: About = answer.and_then(|answer| answer.json()).map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&json!(about.stats));
            return Ok(0);
        }
        for (section, figures) in &about.stats {
            context.print(format_args!("{}:", escaped(section)));
            for (name, value) in figures {
                context.print(format_args!("\t{} = {}", escaped(name), escaped(value)));
            }
        }
        Ok(0)
    }
}
