//! `chancery demo`.

use clap::Args;

use super::context::Context;
use crate::{crypto, demo};

/// Show it: an agent, two services with sidecar proxies, and an intention that decides
#[derive(Debug, Args)]
pub(super) struct Demo {}

impl Demo {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        crypto::install();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build();
        let told = match runtime {
            Ok(runtime) => runtime
                .block_on(demo::run(context.out))
                .map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        match told {
            Ok(()) => 0,
            Err(error) => {
                context.complain(format_args!("the demo failed: {error}"));
                1
            }
        }
    }
}
