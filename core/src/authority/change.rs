//! What the authority decides: rows to put and to delete.

use super::{AuthorityRecord, CaConfiguration, CaRoot, Epoch, Lease, ProviderState};

/// A decision: one row put or deleted. Applying it follows no rules.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AuthorityChange {
    /// The lease of an issuer, by its key identifier, is over.
    DeleteLease(String),
    /// Nothing of this incarnation is needed any more.
    DeleteProviderState(Epoch),
    /// The root with this id is no longer trusted.
    DeleteRoot(String),
    /// The provider's configuration is now this.
    PutConfiguration(CaConfiguration),
    /// A lease is now this.
    PutLease(Lease),
    /// A provider must now remember this.
    PutProviderState(ProviderState),
    /// The authority is now doing this.
    PutRecord(AuthorityRecord),
    /// A trusted root is now this.
    PutRoot(CaRoot),
}
