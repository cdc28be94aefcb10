//! `chancery services …`: what the agent looks after.

mod deregister;
mod register;

use chancery_core::Registration;
use clap::Subcommand;

use super::context::{self, Context};

/// Register services with the agent and deregister them
#[derive(Debug, Subcommand)]
pub(super) enum Services {
    Deregister(deregister::Deregister),
    Register(register::Register),
}

impl Services {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = match self {
            Self::Deregister(command) => command.run(context),
            Self::Register(command) => command.run(context),
        };
        context::finish(context, result)
    }
}

/// The instance's id: its name unless another is said.
fn id_of(registration: &Registration) -> &str {
    match registration.id.as_str() {
        "" => &registration.name,
        id => id,
    }
}
