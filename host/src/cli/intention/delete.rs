//! `chancery intention delete`.

use clap::Args;
use serde_json::json;

use super::target;
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::Client;

/// Delete one intention: SOURCE DESTINATION, or its ID
#[derive(Debug, Args)]
pub(crate) struct Delete {
    /// SOURCE DESTINATION, or ID
    arguments: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Delete {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let id = Context::wait_for(delete(&client, &self.arguments))??;
        if self.output.is_json() {
            context.print_json(&json!({ "Deleted": id }));
        } else {
            context.print("Intention deleted.");
        }
        Ok(0)
    }
}

async fn delete(client: &Client, arguments: &[String]) -> Result<String, Failure> {
    let id = target::id_of(client, arguments).await?;
    let deleted = client.delete(&target::path(&id)).await;
    deleted
        .map(|_| id)
        .map_err(|error| Failure::new(format!("Error deleting the intention: {error}")))
}
