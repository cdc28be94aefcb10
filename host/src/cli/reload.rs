//! `chancery reload`.

use clap::Args;
use serde_json::json;

use super::connection::Access;
use super::context::{Context, Failure, finish};
use super::output::Output;

/// Have the agent read its configuration files again
#[derive(Debug, Args)]
pub(super) struct Reload {
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    access: Access,
}

impl Reload {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = self.ask(context);
        finish(context, result)
    }

    fn ask(&self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.access.connect(context)?;
        Context::wait_for(client.put("/v1/agent/reload", &[], None))?
            .map_err(|error| Failure::new(format!("Error reloading: {error}")))?;
        if self.output.is_json() {
            context.print_json(&json!({ "Reloaded": true }));
        } else {
            context.print("Configuration reload triggered");
        }
        Ok(0)
    }
}
