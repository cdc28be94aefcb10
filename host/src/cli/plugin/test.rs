//! `chancery plugin test`.

use std::sync::Arc;

use chancery_core::Timestamp;
use chancery_providers::conformance::{self, Report, Setup};
use chancery_providers::{KeySpec, Wasm};
use clap::Args;

use super::given::Given;
use super::load;
use crate::cli::context::{Context, Failure};
use crate::clock::Clock;
use crate::crypto;

/// Run the conformance checks on a plugin in the sandbox; exit code 1 if one fails
#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    given: Given,
    /// Show the checks that failed only
    #[arg(long)]
    quiet: bool,
}

impl Test {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        crypto::install();
        let (options, secrets) = self.given.options()?;
        let checked = chancery_providers::check_options("wasm", &options, &secrets);
        checked.map_err(|error| Failure::new(format!("Error: {error}")))?;
        let report = Context::wait_for(async {
            let file = load(&self.given.file).await?;
            let clock = Clock::start();
            let now = move || -> Timestamp { clock.now().wall };
            let first = file.capabilities().keys.first().copied();
            let key = first.unwrap_or(KeySpec::EcP256);
            let mut setup = Setup::new(crypto::algorithms(), now(), key);
            setup.clock = Arc::new(now);
            setup.options = options;
            setup.secrets = secrets;
            Ok::<Report, Failure>(conformance::run(|| Wasm::of(file.clone()), &setup).await)
        })??;
        if self.quiet {
            for check in report.failures() {
                if let Err(reason) = &check.outcome {
                    context.print(format_args!("FAIL  {}: {reason}", check.name));
                }
            }
        } else {
            context.print(&report);
        }
        Ok(u8::from(!report.passed()))
    }
}
