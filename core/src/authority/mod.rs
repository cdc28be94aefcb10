//! The certificate authority as a state machine: which roots are trusted, which one signs, what
//! must happen next.
//!
//! [`Authority`] never calls a provider. The host's run loop is: commit, then ask
//! [`Authority::next_effect`] until it answers [`Effect::WakeAt`]; carry each effect out; propose
//! what came of it as an [`AuthorityCommand`]. Leafs are not signed through this loop: workers
//! read the published [`SigningView`].
//!
//! A change of provider or key will be more stages of the same machine: every row already says
//! which [`Epoch`] it belongs to, roots can be several, and a root that no longer signs is
//! forgotten only by the proof that its [`Lease`] gives.

mod change;
mod command;
mod configuration;
mod decide;
mod effect;
mod ids;
mod lease;
mod roots;
mod signing;
mod stage;
#[cfg(test)]
mod tests;

use imbl::OrdMap;

pub use change::AuthorityChange;
pub use command::{AuthorityCommand, NewRoot};
pub use configuration::{CaConfiguration, Lifetimes};
pub use effect::Effect;
pub use ids::{Epoch, OperationId};
pub use lease::Lease;
pub use roots::CaRoot;
pub use signing::SigningView;
pub use stage::{AuthorityRecord, Stage};

use crate::{Now, Sealed, Timestamp, TrustDomain};

/// What a provider must remember for one epoch, as committed.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct ProviderState {
    /// The incarnation it belongs to.
    pub epoch: Epoch,
    /// The provider it belongs to.
    pub provider: String,
    /// The operation that made it, so that an interrupted one can be asked for again.
    pub operation: OperationId,
    /// The provider's memory, keys included, sealed under the host's key.
    pub sealed: Sealed,
    /// Revision at which it was first written.
    pub create_index: u64,
    /// Revision at which it last changed.
    pub modify_index: u64,
}

/// Why a command to the authority was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthorityError {
    /// A CA exists, so a new one is not minted implicitly.
    #[error(
        "a certificate authority exists already (trust domain {trust_domain}): a new root is made \
         only by changing the CA configuration"
    )]
    AlreadyBootstrapped {
        /// The trust domain of the existing one.
        trust_domain: TrustDomain,
    },
    /// There is no CA yet.
    #[error(
        "no certificate authority exists yet: it is made when the agent starts with Connect enabled"
    )]
    NotBootstrapped,
    /// A result arrived for something the authority no longer waits for. The host drops it.
    #[error("this result belongs to epoch {found}, the authority is at epoch {expected}")]
    Stale {
        /// The result's epoch.
        found: Epoch,
        /// The epoch the authority is at.
        expected: Epoch,
    },
    /// The answer is to another order of the same epoch.
    #[error(
        "this result answers operation {found}, the authority waits for {}",
        .expected.map_or_else(|| "none".to_owned(), |id| id.to_string())
    )]
    WrongOperation {
        /// The result's operation.
        found: OperationId,
        /// The operation the authority waits for, if any.
        expected: Option<OperationId>,
    },
    /// A lease for an issuer that does not sign in this epoch.
    #[error("{found} is not the issuer that signs (that is {expected})")]
    WrongIssuer {
        /// The issuer named.
        found: String,
        /// The issuer that signs.
        expected: String,
    },
}

/// The authority's part of the state. Cloning is cheap and shares.
#[derive(Clone, Default)]
pub struct Authority {
    record: Option<AuthorityRecord>,
    configuration: Option<CaConfiguration>,
    roots: OrdMap<String, CaRoot>,
    leases: OrdMap<String, Lease>,
    provider_states: OrdMap<Epoch, ProviderState>,
}

impl Authority {
    /// The trust domain, `<cluster id>.consul`, once it is founded.
    #[must_use]
    pub fn trust_domain(&self) -> Option<&TrustDomain> {
        Some(&self.record.as_ref()?.trust_domain)
    }

    /// The record of what the authority is doing.
    #[must_use]
    pub const fn record(&self) -> Option<&AuthorityRecord> {
        self.record.as_ref()
    }

    /// The configuration of the provider.
    #[must_use]
    pub const fn configuration(&self) -> Option<&CaConfiguration> {
        self.configuration.as_ref()
    }

    /// The leases of all issuers, by key identifier.
    pub fn leases(&self) -> impl Iterator<Item = &Lease> {
        self.leases.values()
    }

    /// What providers must remember, by epoch.
    pub fn provider_states(&self) -> impl Iterator<Item = &ProviderState> {
        self.provider_states.values()
    }

    /// A trusted root by its id.
    #[must_use]
    pub fn root(&self, id: &str) -> Option<&CaRoot> {
        self.roots.get(id)
    }

    /// All trusted roots, by id.
    pub fn roots(&self) -> impl Iterator<Item = &CaRoot> {
        self.roots.values()
    }

    /// The root under which new leafs are issued.
    #[must_use]
    pub fn active_root(&self) -> Option<&CaRoot> {
        self.roots.values().find(|root| root.active)
    }

    /// What the provider of `epoch` must remember.
    #[must_use]
    pub fn provider_state(&self, epoch: Epoch) -> Option<&ProviderState> {
        self.provider_states.get(&epoch)
    }

    /// The lease of an issuer.
    #[must_use]
    pub fn lease(&self, issuer: &str) -> Option<&Lease> {
        self.leases.get(issuer)
    }

    /// What workers need to issue leafs, once a root is active and its lease is committed.
    #[must_use]
    pub fn signing_view(&self) -> Option<SigningView> {
        let record = self.record.as_ref()?;
        let configuration = self.configuration.as_ref()?;
        let root = self.active_root()?;
        let lease = self.leases.get(&root.signing_key_id)?;
        SigningView::new(record, configuration, root, lease)
    }

    /// What must be done next. Ask again after every commit, and at the moment of a
    /// [`Effect::WakeAt`].
    #[must_use]
    pub fn next_effect(&self, now: Now) -> Option<Effect> {
        let record = self.record.as_ref()?;
        let configuration = self.configuration.as_ref()?;
        match &record.stage {
            Stage::Bootstrapping { epoch, operation } => Some(Effect::GenerateRoot {
                epoch: *epoch,
                operation: *operation,
                configuration: configuration.clone(),
                state: self
                    .provider_state(*epoch)
                    .map(|state| state.sealed.clone()),
            }),
            Stage::Serving { epoch } => self.lease_effect(*epoch, configuration, now.wall),
        }
    }

    /// Does one decided change. Without rules, so that a replay never depends on them.
    pub(crate) fn apply(&mut self, change: &AuthorityChange) {
        match change.clone() {
            AuthorityChange::PutConfiguration(configuration) => {
                self.configuration = Some(configuration);
            }
            AuthorityChange::PutLease(lease) => {
                self.leases.insert(lease.issuer.clone(), lease);
            }
            AuthorityChange::PutProviderState(state) => {
                self.provider_states.insert(state.epoch, state);
            }
            AuthorityChange::PutRecord(record) => self.record = Some(record),
            AuthorityChange::PutRoot(root) => {
                self.roots.insert(root.id.clone(), root);
            }
        }
    }

    fn lease_effect(
        &self,
        epoch: Epoch,
        configuration: &CaConfiguration,
        wall: Timestamp,
    ) -> Option<Effect> {
        let root = self.active_root()?;
        let life = configuration.lifetimes.leaf;
        let due = self
            .leases
            .get(&root.signing_key_id)
            .map(|lease| lease::due_at(lease.until, life));
        match due {
            Some(due) if wall < due => Some(Effect::WakeAt(due)),
            _ => Some(Effect::ExtendLease {
                epoch,
                issuer: root.signing_key_id.clone(),
                until: lease::reach_from(wall, life),
            }),
        }
    }
}
