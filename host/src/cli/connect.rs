//! `chancery connect …`.

use clap::Subcommand;

use super::connect_ca::Ca;
use super::connect_proxy::Proxy;
use super::context::Context;

/// Work with the mesh
#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    #[command(subcommand)]
    Ca(Box<Ca>),
    Proxy(Box<Proxy>),
}

impl Connect {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        match self {
            Self::Ca(command) => command.run(context),
            Self::Proxy(command) => command.run(context),
        }
    }
}
