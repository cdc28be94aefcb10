//! A change of who signs, from the wish to the switch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CaConfiguration, Epoch, Link, NewIssuer, OperationId};
use crate::{Der, Timestamp};

/// A running change to another incarnation of the CA.
///
/// New options, a new key, another provider, a renewed intermediate: each is one rotation to a
/// new [`Epoch`]. The old incarnation signs until the switch, which is one commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rotation {
    /// The incarnation that shall sign.
    pub epoch: Epoch,
    /// The order, so that asking the provider again makes nothing twice.
    pub operation: OperationId,
    /// Why.
    pub cause: RotationCause,
    /// The configuration that counts from the switch on.
    pub configuration: CaConfiguration,
    /// Whether the operator accepts that peers with an old bundle refuse new leafs.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// What is being done.
    pub step: Step,
    /// When this step began.
    pub step_since: Timestamp,
    /// When the rotation began.
    pub since: Timestamp,
}

/// Why who signs changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RotationCause {
    /// The operator changed the configuration: a new root only if the provider then has another.
    Configured,
    /// The operator wants a new root.
    NewKey,
    /// The root's key is compromised: a new one, and the old one is no longer trusted soon.
    Emergency {
        /// How long after the switch the old root goes, whatever leafs of it are still alive.
        retire_after: Duration,
    },
    /// The intermediate is past half its life: another one under the same root.
    Renewal,
}

impl RotationCause {
    /// Whether a new root is wanted even if the backend has one.
    #[must_use]
    pub const fn wants_new_root(self) -> bool {
        matches!(self, Self::NewKey | Self::Emergency { .. })
    }
}

/// A step of a rotation, with the data that only this step has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Step {
    /// The provider is being set up and asked for its root and its intermediate.
    Preparing,
    /// Somebody outside must sign the intermediate: its CSR is here, no time is set.
    AwaitingSignature {
        /// The root under which it shall be, which signs nothing itself.
        root: Box<NewIssuer>,
        /// The request, PKCS #10.
        csr: Der,
    },
    /// The intermediate that was signed outside is being handed to the provider.
    Accepting {
        /// As in [`Step::AwaitingSignature`], should it be refused.
        root: Box<NewIssuer>,
        /// As in [`Step::AwaitingSignature`], should it be refused.
        csr: Der,
        /// The signed intermediate first, then what links it to the root.
        chain: Vec<Der>,
    },
    /// The provider that signs now is asked to sign the new root.
    Linking {
        /// Who shall sign.
        issuer: Box<NewIssuer>,
    },
    /// A leaf is issued for trial, and verified against every bundle that peers may hold.
    Trying {
        /// Who shall sign.
        issuer: Box<NewIssuer>,
        /// What leads from its root to the older ones.
        links: Vec<Link>,
    },
}

impl Step {
    /// The step's name, as operators see it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::AwaitingSignature { .. } => "awaiting signature",
            Self::Accepting { .. } => "accepting",
            Self::Linking { .. } => "linking",
            Self::Trying { .. } => "trying",
        }
    }
}
