//! `chancery connect ca rotate`.

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::agent::ca::Plan;
use crate::cli::connection::Connection;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::client::{Client, ClientError};

/// Have the provider make a new root, and move all leafs to it
#[derive(Debug, Args)]
pub(crate) struct Rotate {
    /// Say what would happen and what would be at risk, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// The root's key is compromised: drop the old root soon, whatever leafs of it are alive
    #[arg(long)]
    emergency: bool,
    /// How long after the switch an emergency drops the old root; 1h if not given
    #[arg(long, value_name = "DURATION", requires = "emergency")]
    retire_after: Option<String>,
    /// Go on although some peers will refuse new leafs
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    connection: Connection,
}

impl Rotate {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        let client = self.connection.client(context)?;
        Context::wait_for(self.carry_out(&client, context))?
    }

    async fn carry_out(&self, client: &Client, context: &mut Context<'_>) -> Result<u8, Failure> {
        // Whoever drops a root on a clock shall have read what that means.
        if self.dry_run || self.emergency {
            let answer = client.put(PATH, &[], Some(&self.body(true))).await;
            let plan: Plan = answer.and_then(|answer| answer.json()).map_err(failed)?;
            if let Some(refused) = &plan.refused {
                return Err(Failure::new(format!("Error rotating the CA: {refused}")));
            }
            if !self.output.is_json() {
                context.print(plan.to_string().trim_end());
            } else if self.dry_run {
                context.print_json(&json!({ "Plan": plan }));
            }
        }
        if self.dry_run {
            return Ok(0);
        }
        let answer = client.put(PATH, &[], Some(&self.body(false))).await;
        let done: Done = answer.and_then(|answer| answer.json()).map_err(failed)?;
        if self.output.is_json() {
            context.print_json(&json!({
                "Epoch": done.epoch, "SignatureWanted": done.signature_wanted,
            }));
        } else if done.signature_wanted {
            context.print(
                "The intermediate must be signed outside: `chancery connect ca csr` shows its \
                 request",
            );
        } else if let Some(epoch) = done.epoch {
            context.print(format_args!("CA rotated! Epoch {epoch} signs now."));
        } else {
            context.print("Nothing has changed.");
        }
        Ok(0)
    }

    fn body(&self, dry_run: bool) -> Value {
        json!({
            "Emergency": self.emergency,
            "RetireAfter": self.retire_after.as_deref().unwrap_or_default(),
            "Force": self.force,
            "DryRun": dry_run,
        })
    }
}

/// What came of it.
#[derive(Deserialize)]
struct Done {
    epoch: Option<u64>,
    signature_wanted: bool,
}

fn failed(error: ClientError) -> Failure {
    Failure::new(format!("Error rotating the CA: {error}"))
}

const PATH: &str = "/v1/chancery/ca/rotate";
