//! `chancery connect ca status`.

use clap::Args;

use crate::agent::ca::CaStatus;
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;

/// Show who signs, which roots are trusted and until when, and how far a change is
#[derive(Debug, Args)]
pub(crate) struct Status {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Status {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let failed = |error| Failure::new(format!("Error querying the CA's status: {error}"));
        let answer = Context::wait_for(client.get("/v1/chancery/ca/status", &[]))?;
        let answer = answer.map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&answer.json().map_err(failed)?);
        } else {
            let status: CaStatus = answer.json().map_err(failed)?;
            context.print(status.to_string().trim_end());
        }
        Ok(0)
    }
}
