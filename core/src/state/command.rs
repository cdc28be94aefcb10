//! What can be asked of the state.

use crate::Now;
use crate::authority::{AuthorityCommand, AuthorityError};
use crate::catalog::{CatalogCommand, CatalogError};
use crate::intention::{IntentionCommand, IntentionError};

use super::{Caller, Change, Revision, State};

/// A wish that the state decides about.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Command {
    /// To the certificate authority.
    Authority(AuthorityCommand),
    /// About nodes, services and checks.
    Catalog(CatalogCommand),
    /// About intentions.
    Intention(IntentionCommand),
}

/// Why a command is refused. The text of the inner error says it all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposeError {
    /// By the certificate authority.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// By the catalog.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// By the rules for intentions.
    #[error(transparent)]
    Intention(#[from] IntentionError),
}

/// Hands the command to the piece it is for.
pub(super) fn decide(
    state: &State,
    command: Command,
    caller: &Caller,
    revision: Revision,
    now: Now,
) -> Result<Vec<Change>, ProposeError> {
    let changes = match command {
        Command::Authority(command) => {
            let changes = state.authority.propose(command, revision, now)?;
            changes.into_iter().map(Change::Authority).collect()
        }
        Command::Catalog(command) => {
            let changes = state.catalog.propose(command, revision.number())?;
            changes.into_iter().map(Change::Catalog).collect()
        }
        Command::Intention(command) => {
            let may_write = |destination: &str| caller.may_write_intentions(destination);
            let changes = state
                .intentions
                .propose(&command, &may_write, revision.number(), now)?;
            changes.into_iter().map(Change::Intention).collect()
        }
    };
    Ok(changes)
}
