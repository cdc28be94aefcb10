//! `chancery connect …`.

use clap::Subcommand;

use super::connect_proxy::Proxy;
use super::context::Context;

/// Work with the mesh
#[derive(Debug, Subcommand)]
pub(super) enum Connect {
    Proxy(Box<Proxy>),
}

impl Connect {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        match self {
            Self::Proxy(command) => command.run(context),
        }
    }
}
