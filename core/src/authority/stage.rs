//! Where the authority stands.

use serde::{Deserialize, Serialize};

use crate::{Timestamp, TrustDomain};

use super::{Epoch, OperationId, Rotation};

/// The one row that says what the authority is doing.
///
/// Its existence means that a CA exists or is being made: from then on a root is never minted
/// without an operator's command.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuthorityRecord {
    /// The trust domain, `<cluster id>.consul`. Never changes.
    pub trust_domain: TrustDomain,
    /// What is being done.
    pub stage: Stage,
    /// When this stage began.
    pub stage_since: Timestamp,
    /// The change that is under way beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Box<Rotation>>,
    /// When the trust was last broken on purpose, by a forced switch: some of the bundles
    /// that were taken before are not led to what signs now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<Timestamp>,
    /// Until when bundles may be in use that were taken under a longer bound on their age than
    /// the one that counts now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles_until: Option<Timestamp>,
    /// When a rotation last came to nothing: a renewal is not tried again at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_up_at: Option<Timestamp>,
    /// The newest epoch that was ever begun. One that came to nothing is not given again, so
    /// that a late result can never be taken for another's.
    pub newest_epoch: Epoch,
    /// Revision at which the record was first written.
    pub create_index: u64,
    /// Revision at which it last changed.
    pub modify_index: u64,
}

/// A stage of the authority with the data that only this stage has.
///
/// Changes of who signs go on beside it, as a [`Rotation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stage {
    /// The first root has been ordered from the provider and is not there yet.
    Bootstrapping {
        /// The incarnation that the root will belong to.
        epoch: Epoch,
        /// The order, so that asking again gives the same root.
        operation: OperationId,
    },
    /// One root is active and signs.
    Serving {
        /// The incarnation that signs.
        epoch: Epoch,
    },
}

impl Stage {
    /// The incarnation that this stage is about.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        match self {
            Self::Bootstrapping { epoch, .. } | Self::Serving { epoch } => *epoch,
        }
    }
}
