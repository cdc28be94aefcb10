//! `chancery catalog datacenters`.

use clap::Args;

use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::telemetry::escaped;

/// List the known datacenters, the nearest first
#[derive(Debug, Args)]
pub(crate) struct Datacenters {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Datacenters {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let failed = |error| Failure::new(format!("Error listing datacenters: {error}"));
        let client = self.connection.client(context)?;
        let answer = Context::wait_for(client.get("/v1/catalog/datacenters", &[]))?;
        let names: Vec<String> = answer.and_then(|answer| answer.json()).map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&names.into());
            return Ok(0);
        }
        for name in names {
            context.print(escaped(&name));
        }
        Ok(0)
    }
}
