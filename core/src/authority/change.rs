//! What the authority decides: rows to put.

use super::{AuthorityRecord, CaConfiguration, CaRoot, Lease, ProviderState};

/// A decision: one row put. Applying it follows no rules.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum AuthorityChange {
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
