//! What the authority wants done outside.

use super::{CaConfiguration, Epoch, Link, NewIssuer, OperationId};
use crate::{Der, Sealed, Timestamp};

/// What is due now, and when to ask again.
///
/// A function of the committed state: the host may lose it, crash, or be replaced by another
/// process, and the same effects come out again. The effects are independent of each other: a
/// provider that is slow to clean up must not hold up a lease.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Agenda {
    /// What is due, the most urgent first.
    pub due: Vec<Effect>,
    /// When to ask again at the latest, if no commit comes before.
    pub wake_at: Option<Timestamp>,
}

impl Agenda {
    /// Notes that something will be due at `moment`.
    pub(super) fn wake(&mut self, moment: Timestamp) {
        self.wake_at = Some(self.wake_at.map_or(moment, |at| at.min(moment)));
    }
}

/// Something that the host must do. What came of it is proposed as an
/// [`AuthorityCommand`](super::AuthorityCommand).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Propose [`Abandon`](super::AuthorityCommand::Abandon): the rotation has come to nothing.
    Abandon {
        /// The incarnation that shall not be.
        epoch: Epoch,
        /// Why.
        reason: String,
    },
    /// Have a provider that is no longer used give up what it holds, then propose
    /// [`CleanedUp`](super::AuthorityCommand::CleanedUp).
    CleanUp {
        /// The incarnation that is over.
        epoch: Epoch,
        /// Its provider and its options.
        configuration: CaConfiguration,
        /// What it must remember, if anything was committed.
        memory: Option<Memory>,
        /// Whether its root is no longer trusted either.
        everything: bool,
        /// Certificates that are trusted or sign, of all incarnations: what they need stays.
        keep: Vec<Der>,
    },
    /// Have the provider that signs now sign the new root, then propose
    /// [`CrossSigned`](super::AuthorityCommand::CrossSigned), or
    /// [`CannotCrossSign`](super::AuthorityCommand::CannotCrossSign) if it is not able to.
    CrossSign {
        /// The incarnation that signs now.
        by: Epoch,
        /// The incarnation that shall sign.
        epoch: Epoch,
        /// Id of the new root.
        subject: String,
        /// The new root.
        root: Der,
        /// Id of the root that shall sign it.
        signer: String,
        /// The end that the certificate shall have; an earlier one only if the signer ends.
        not_after: Timestamp,
    },
    /// Propose [`ExtendLease`](super::AuthorityCommand::ExtendLease) with these values: leafs
    /// will soon want to outlive the lease.
    ExtendLease {
        /// The incarnation that signs.
        epoch: Epoch,
        /// Key identifier of the issuer.
        issuer: String,
        /// The new end of the lease.
        until: Timestamp,
    },
    /// Propose [`Forget`](super::AuthorityCommand::Forget): something is provably of no use any
    /// more.
    Forget {
        /// When the wait for its end began, the latest such moment if several things are over. If
        /// the wall clock was set since then, hold back until it has gone steadily for
        /// [`FORGET_HOLD`](super::FORGET_HOLD).
        since: Timestamp,
    },
    /// Set up the provider of an incarnation and ask it for its root and, if it has one of its
    /// own, its intermediate; then propose
    /// [`IssuerPrepared`](super::AuthorityCommand::IssuerPrepared), or
    /// [`SignatureWanted`](super::AuthorityCommand::SignatureWanted) if somebody outside must
    /// sign the intermediate.
    PrepareIssuer {
        /// The incarnation.
        epoch: Epoch,
        /// The id to give to the provider.
        operation: OperationId,
        /// The provider and its options.
        configuration: CaConfiguration,
        /// What the provider must remember: of this incarnation if anything was committed, else
        /// of the one before if it had the same provider.
        memory: Option<Memory>,
        /// Whether a new root is wanted although there is one.
        renew_root: bool,
        /// Whether a new intermediate is wanted although there is one.
        renew_intermediate: bool,
        /// The intermediate that was signed outside, to be accepted.
        signed: Option<Vec<Der>>,
    },
    /// Propose [`Rotate`](super::AuthorityCommand::Rotate) with this configuration and the cause
    /// [`Renewal`](super::RotationCause::Renewal): the intermediate is past half its life.
    RenewIntermediate {
        /// The configuration as it is.
        configuration: CaConfiguration,
    },
    /// Have the new incarnation issue a leaf for trial, and verify it with these certificates
    /// against each of the anchors alone; then propose
    /// [`IssuerTried`](super::AuthorityCommand::IssuerTried). A leaf that does not verify means
    /// [`Abandon`](super::AuthorityCommand::Abandon).
    TryIssuer {
        /// The incarnation that shall sign.
        epoch: Epoch,
        /// Who shall sign.
        issuer: NewIssuer,
        /// What would be sent with its leafs, besides its intermediates.
        links: Vec<Link>,
        /// The new root, and every root that may be the newest one in a bundle that a peer
        /// holds.
        anchors: Vec<Der>,
    },
}

impl Effect {
    /// Whether it must wait until the work with this [key](Self::key) has ended: what a provider
    /// is about to go on with must not be cleaned up at the same time, for want of a certificate
    /// that names it.
    #[must_use]
    pub fn must_wait_for(&self, running: (&'static str, Option<Epoch>)) -> bool {
        matches!(
            (self.key().0, running.0),
            ("prepare issuer", "clean up") | ("clean up", "prepare issuer")
        )
    }

    /// The incarnation that it is about, and a name: two effects that agree in both are the
    /// same work.
    #[must_use]
    pub const fn key(&self) -> (&'static str, Option<Epoch>) {
        match self {
            Self::Abandon { epoch, .. } => ("abandon", Some(*epoch)),
            Self::CleanUp { epoch, .. } => ("clean up", Some(*epoch)),
            Self::CrossSign { epoch, .. } => ("cross-sign", Some(*epoch)),
            Self::ExtendLease { epoch, .. } => ("extend lease", Some(*epoch)),
            Self::Forget { .. } => ("forget", None),
            Self::PrepareIssuer { epoch, .. } => ("prepare issuer", Some(*epoch)),
            Self::RenewIntermediate { .. } => ("renew intermediate", None),
            Self::TryIssuer { epoch, .. } => ("try issuer", Some(*epoch)),
        }
    }
}

/// What a provider must remember, and for which incarnation it was sealed.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a sealed value and what it is bound to"
)]
pub struct Memory {
    /// The incarnation it was sealed for.
    pub epoch: Epoch,
    /// The memory.
    pub sealed: Sealed,
}
