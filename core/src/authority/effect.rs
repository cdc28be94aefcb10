//! What the authority wants done outside.

use crate::{Sealed, Timestamp};

use super::{CaConfiguration, Epoch, OperationId};

/// Something that the host must do, or the moment at which to ask again.
///
/// An effect is a function of the committed state: the host may lose it, crash, or be replaced
/// by another process, and the same effect comes out again.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Effect {
    /// Propose [`AuthorityCommand::ExtendLease`](super::AuthorityCommand::ExtendLease) with these
    /// values: leafs will soon want to outlive the lease.
    ExtendLease {
        /// The incarnation that signs.
        epoch: Epoch,
        /// Key identifier of the issuer.
        issuer: String,
        /// The new end of the lease.
        until: Timestamp,
    },
    /// Configure the provider and have it make its root, then propose
    /// [`AuthorityCommand::RootGenerated`](super::AuthorityCommand::RootGenerated).
    GenerateRoot {
        /// The incarnation that the root will belong to.
        epoch: Epoch,
        /// The id to give to the provider.
        operation: OperationId,
        /// The provider and its options.
        configuration: CaConfiguration,
        /// What the provider of this epoch must remember, if anything was committed.
        state: Option<Sealed>,
    },
    /// Nothing to do before this moment; ask again then, or after the next commit.
    WakeAt(Timestamp),
}
