//! `chancery services deregister`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::segment;
use crate::config;

/// Deregister the services of configuration files, or one by its id
#[derive(Debug, Args)]
pub(crate) struct Deregister {
    /// Configuration files (HCL or JSON) with `service` or `services`
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Which instance
    #[arg(long)]
    id: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Deregister {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        let ids = self.ids()?;
        Context::wait_for(async {
            let mut done = Vec::new();
            for id in ids {
                let path = format!("/v1/agent/service/deregister/{}", segment(&id));
                client.put(&path, &[], None).await.map_err(|error| {
                    Failure::new(format!("Error deregistering service {id:?}: {error}"))
                })?;
                if self.output.is_json() {
                    done.push(json!({ "ID": id }));
                } else {
                    context.print(format_args!("Deregistered service: {id}"));
                }
            }
            if self.output.is_json() {
                context.print_json(&Value::Array(done));
            }
            Ok(0)
        })?
    }

    fn ids(&self) -> Result<Vec<String>, Failure> {
        match (self.files.is_empty(), &self.id) {
            (true, None) => Err(Failure::new(
                "Service deregistration requires at least one argument or -id.",
            )),
            (false, Some(_)) => Err(Failure::new(
                "Service deregistration requires arguments or -id, not both.",
            )),
            (true, Some(id)) => Ok(vec![id.clone()]),
            (false, None) => {
                let services = config::services_in(&self.files)
                    .map_err(|report| Failure::new(format!("Error: {report}")))?;
                let ids = services
                    .iter()
                    .map(|service| super::id_of(&service.registration));
                Ok(ids.map(str::to_owned).collect())
            }
        }
    }
}
