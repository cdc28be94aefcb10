//! What an agent knows of its own: the services on its node and how they are.
//!
//! It lives beside the replicated state, because it changes every second. Only a change of
//! status, or an output at most every five minutes, becomes a [`CatalogCommand`].
//!
//! A [`Registration`] is what somebody says; checked, it becomes a [`CheckedRegistration`], which
//! [`LocalState`] takes. The host does what [`LocalState::poll`] asks for and reports back.
//!
//! [`CatalogCommand`]: crate::CatalogCommand

mod alias;
mod check_plan;
mod definition;
mod error;
mod health;
mod links;
mod maintenance;
mod poll;
mod reconcile;
mod registration;
mod result;
mod rules;
mod running;
mod settings;
mod sidecar;
mod state;
#[cfg(test)]
mod tests;
mod timers;

pub use check_plan::{HttpTarget, ProbeTarget};
pub use definition::{CheckDefinition, CheckRegistration, Registration, WeightsDefinition};
pub use error::{
    CheckError, DefinitionErrors, LocalError, MetaError, MetaPairError, RegistrationError,
    WeightsError,
};
pub use health::LocalHealth;
pub use poll::{LocalAction, ProbeSpec, SyncKey};
pub use registration::{CheckedCheck, CheckedRegistration};
pub use result::CheckResult;
pub use settings::LocalSettings;
pub use state::{LocalService, LocalState};
