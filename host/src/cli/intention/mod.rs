//! `chancery intention …`: which service may connect to which.

mod check;
mod create;
mod delete;
mod get;
mod list;
mod matching;
mod target;

use clap::Subcommand;

use super::context::{self, Context};

/// Say, ask and change which service may connect to which
#[derive(Debug, Subcommand)]
pub(super) enum Intention {
    Check(check::Check),
    Create(create::Create),
    Delete(delete::Delete),
    Get(get::Get),
    List(list::List),
    Match(matching::Match),
}

impl Intention {
    pub(super) fn run(self, context: &mut Context<'_>) -> u8 {
        let result = match self {
            Self::Check(command) => command.run(context),
            Self::Create(command) => command.run(context),
            Self::Delete(command) => command.run(context),
            Self::Get(command) => command.run(context),
            Self::List(command) => command.run(context),
            Self::Match(command) => command.run(context),
        };
        context::finish(context, result)
    }
}
