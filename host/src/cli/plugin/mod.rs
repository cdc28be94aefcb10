//! `chancery plugin …`: CA plugins, from the first line to the trial. None of it needs an agent.

mod bench;
mod given;
mod inspect;
mod new;
mod test;

use std::path::Path;

use chancery_providers::PluginFile;
use clap::Subcommand;

use super::context::{Context, Failure, finish};

/// Begin, try, look at and measure CA plugins
#[derive(Debug, Subcommand)]
pub(super) enum Plugin {
    Bench(bench::Bench),
    Inspect(inspect::Inspect),
    New(new::New),
    Test(test::Test),
}

impl Plugin {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = match self {
            Self::Bench(command) => command.run(context),
            Self::Inspect(command) => command.run(context),
            Self::New(command) => command.run(context),
            Self::Test(command) => command.run(context),
        };
        finish(context, result)
    }
}

/// Loads a plugin without keeping anything of it.
async fn load(path: &Path) -> Result<PluginFile, Failure> {
    let loaded = PluginFile::load(path, None, None).await;
    loaded.map_err(|error| Failure::new(format!("Error loading the plugin: {error}")))
}
