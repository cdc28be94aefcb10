//! The certificate authority as a state machine: which roots are trusted, which one signs, what
//! must happen next.
//!
//! [`Authority`] never calls a provider. The host's run loop is: commit, then ask for the
//! [`Agenda`]; carry each [`Effect`] out; propose what came of it as an [`AuthorityCommand`].
//! Leafs are not signed through this loop: workers read the published [`SigningView`].
//!
//! Every change of options, key, provider or intermediate is one [`Rotation`] to a new [`Epoch`],
//! while the old one goes on signing. **The law**: at every instant, every leaf that may be in
//! use verifies against every bundle that was taken less than
//! [`Lifetimes::bundle`] ago. Leafs of before the switch verify because a retired root stays
//! until no leaf of it can be alive, which its [`Lease`]s prove; leafs of after it because they
//! are sent with [`Link`]s to the older roots for as long as a bundle may lack the new one.
//!
//! | state | effect | commands that lead on |
//! |---|---|---|
//! | nothing | | [`Bootstrap`](AuthorityCommand::Bootstrap) |
//! | [`Bootstrapping`](Stage::Bootstrapping) | [`PrepareIssuer`](Effect::PrepareIssuer) | [`IssuerPrepared`](AuthorityCommand::IssuerPrepared): the first root signs |
//! | [`Serving`](Stage::Serving), no rotation | [`RenewIntermediate`](Effect::RenewIntermediate) at half its life, [`CleanUp`](Effect::CleanUp) | [`Rotate`](AuthorityCommand::Rotate), [`CleanedUp`](AuthorityCommand::CleanedUp) |
//! | [`Preparing`](Step::Preparing) | [`PrepareIssuer`](Effect::PrepareIssuer) | [`IssuerPrepared`](AuthorityCommand::IssuerPrepared): to `Trying` under the same root, else to `Linking`; [`SignatureWanted`](AuthorityCommand::SignatureWanted) |
//! | [`AwaitingSignature`](Step::AwaitingSignature) | | [`SignatureGiven`](AuthorityCommand::SignatureGiven) |
//! | [`Accepting`](Step::Accepting) | [`PrepareIssuer`](Effect::PrepareIssuer) with what was signed | [`IssuerPrepared`](AuthorityCommand::IssuerPrepared); [`SignatureRefused`](AuthorityCommand::SignatureRefused): back |
//! | [`Linking`](Step::Linking) | [`CrossSign`](Effect::CrossSign) | [`CrossSigned`](AuthorityCommand::CrossSigned); [`CannotCrossSign`](AuthorityCommand::CannotCrossSign): on by force, else over |
//! | [`Trying`](Step::Trying) | [`TryIssuer`](Effect::TryIssuer) | [`IssuerTried`](AuthorityCommand::IssuerTried): the switch, or `Linking` again if the link would end too soon |
//! | any step but `AwaitingSignature`, for an hour | [`Abandon`](Effect::Abandon) | [`Abandon`](AuthorityCommand::Abandon): the old incarnation goes on |
//! | always | [`ExtendLease`](Effect::ExtendLease), [`Forget`](Effect::Forget) | [`ExtendLease`](AuthorityCommand::ExtendLease), [`Forget`](AuthorityCommand::Forget) |
//!
//! What is kept until it is proven to be of no use: a root until
//! [`root_over_at`](Authority::root_over_at), a link until [`Link::needed_until`]. The proof
//! needs a wall clock that has gone steadily, through the whole wait or for [`FORGET_HOLD`]; no
//! decision before it leaves anything out because of the time. What a clock that was *behind*
//! promised at a switch, it promised so much too short once it is set right; the law holds again
//! for what is switched to afterwards.

mod agenda;
mod change;
mod command;
mod configuration;
mod decide;
mod effect;
mod ids;
mod lease;
mod roots;
mod rotation;
mod signing;
mod stage;
#[cfg(test)]
mod tests;
mod trust;

use imbl::OrdMap;

pub use change::AuthorityChange;
pub use command::AuthorityCommand;
pub use configuration::{BUNDLE_MAX_AGE, CaConfiguration, Lifetimes};
pub use effect::{Agenda, Effect, Memory};
pub use ids::{Epoch, OperationId};
pub use lease::Lease;
pub use roots::{CaRoot, Life, Link, NewIssuer};
pub use rotation::{Rotation, RotationCause, Step};
pub use signing::SigningView;
pub use stage::{AuthorityRecord, Stage};
pub use trust::{FORGET_HOLD, LONGEST_PATH, PATIENCE as ROTATION_PATIENCE};

use crate::{Sealed, Timestamp, TrustDomain};

/// What a provider must remember for one epoch, as committed.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct ProviderState {
    /// The incarnation it belongs to.
    pub epoch: Epoch,
    /// The provider it belongs to.
    pub provider: String,
    /// The operation that made it, so that an interrupted one can be asked for again.
    pub operation: OperationId,
    /// The provider's memory, keys included, sealed under the host's key. Empty if a rotation
    /// was given up before the provider had anything to remember.
    pub sealed: Sealed,
    /// Set once it signs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<Retired>,
    /// Revision at which it was first written.
    pub create_index: u64,
    /// Revision at which it last changed.
    pub modify_index: u64,
}

/// An incarnation that is over, until it has been cleaned up after.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[non_exhaustive]
pub struct Retired {
    /// Since when it signs no more.
    pub at: Timestamp,
    /// Its provider and its options, which may differ from those that count now.
    pub configuration: CaConfiguration,
    /// Whether what it needed for signing leafs is gone.
    #[serde(default)]
    pub issuing_cleaned: bool,
    /// Since when nobody trusts its root either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_at: Option<Timestamp>,
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
    /// Another change of the CA is under way. The text is Consul's.
    #[error("CA is already in state \"{state}\"")]
    Busy {
        /// `INITIALIZING`, `RECONFIGURING` or `RENEWING`.
        state: &'static str,
    },
    /// A cross-signed certificate ends before the last bundle that needs it.
    #[error("the cross-signed certificate ends at {found}, it must last until {least}")]
    LinkEnds {
        /// Its end.
        found: Timestamp,
        /// The earliest end that would do.
        least: Timestamp,
    },
    /// No rotation is under way.
    #[error("no change of the CA is under way")]
    NoRotation,
    /// No intermediate waits for a signature from outside.
    #[error("no intermediate waits for a signature: ask for a certificate request first")]
    NoSignatureWanted,
    /// The incarnation has not been replaced.
    #[error("epoch {epoch} has not been retired")]
    NotRetired {
        /// The incarnation.
        epoch: Epoch,
    },
    /// Peers with old bundles would have to follow a path that they refuse.
    #[error(
        "peers that hold the oldest bundle would need a path of {length} certificates, at most {} \
         are accepted: try again after {until}, or set ForceWithoutCrossSigning to leave those \
         peers behind",
        trust::LONGEST_PATH
    )]
    PathTooLong {
        /// Certificates that would be sent with a leaf, itself among them.
        length: usize,
        /// From then on one less is needed.
        until: Timestamp,
    },
    /// A new root was wanted, and the provider answered with the one that signs already.
    #[error("the provider has no other root than {root}, which signs already")]
    SameRoot {
        /// Id of the root.
        root: String,
    },
    /// A cross-signed certificate of other roots than the rotation's.
    #[error("the cross-signed certificate is {found}, expected is {expected}")]
    WrongLink {
        /// Which roots it links.
        found: String,
        /// Which it should.
        expected: String,
    },
    /// A result that belongs to another step of the same rotation. The host drops it.
    #[error("{found} arrived while the rotation is {step}")]
    WrongStep {
        /// What arrived.
        found: &'static str,
        /// The step it is at.
        step: &'static str,
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

    /// Does one decided change. Without rules, so that a replay never depends on them.
    pub fn apply(&mut self, change: &AuthorityChange) {
        match change.clone() {
            AuthorityChange::DeleteLease(issuer) => {
                self.leases.remove(&issuer);
            }
            AuthorityChange::DeleteProviderState(epoch) => {
                self.provider_states.remove(&epoch);
            }
            AuthorityChange::DeleteRoot(id) => {
                self.roots.remove(&id);
            }
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
}
