//! What can be asked of the authority.

use super::{CaConfiguration, Epoch, Link, NewIssuer, OperationId, RotationCause};
use crate::{Der, Sealed, Timestamp};

/// A wish, or the result of an effect, which comes back as a command like any other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthorityCommand {
    /// Give up the running rotation: the incarnation that signs goes on.
    Abandon {
        /// The incarnation that shall not be.
        epoch: Epoch,
    },
    /// Found the trust domain. Only while no CA state exists at all.
    Bootstrap {
        /// 16 random bytes for the trust domain, unless the configuration fixes it.
        cluster_id: [u8; 16],
        /// The provider and its options.
        configuration: CaConfiguration,
        /// The id for the order of the first root.
        operation: OperationId,
    },
    /// The provider that signs is not able to sign other CAs' roots.
    CannotCrossSign {
        /// The incarnation that shall sign.
        epoch: Epoch,
    },
    /// An incarnation that is over has given up what it held.
    CleanedUp {
        /// The incarnation.
        epoch: Epoch,
        /// Whether that was everything, its root included.
        everything: bool,
    },
    /// The provider that signs has signed the new root.
    CrossSigned {
        /// The incarnation that shall sign.
        epoch: Epoch,
        /// The certificate, checked against the certificate policy.
        link: Link,
    },
    /// Promise that no leaf of `issuer` outlives `until`. Never shortens a lease.
    ExtendLease {
        /// The incarnation that signs.
        epoch: Epoch,
        /// Key identifier of the issuer.
        issuer: String,
        /// The new end.
        until: Timestamp,
    },
    /// Drop roots, leases and links that are provably of no use.
    Forget {
        /// Since when the wall clock has gone steadily beside the monotonic one, in this
        /// process. What had begun to come to its end before that waits for
        /// [`FORGET_HOLD`](super::FORGET_HOLD): a clock that was set proves nothing.
        steady_since: Timestamp,
    },
    /// The provider has made what was ordered.
    IssuerPrepared {
        /// The incarnation it was ordered for.
        epoch: Epoch,
        /// The order it answers.
        operation: OperationId,
        /// Who will sign, checked against the certificate policy.
        issuer: NewIssuer,
        /// What the provider must remember, sealed: committed together with the root, so that a
        /// key that is not durable never signs.
        state: Sealed,
    },
    /// Leafs of the new incarnation verify against every bundle that peers may hold.
    IssuerTried {
        /// The incarnation that shall sign.
        epoch: Epoch,
    },
    /// Change who signs, or with which options.
    Rotate {
        /// The configuration that shall count.
        configuration: CaConfiguration,
        /// Why.
        cause: RotationCause,
        /// Whether peers with an old bundle may be left behind.
        force: bool,
        /// The id to give to the provider.
        operation: OperationId,
    },
    /// Somebody outside must sign the intermediate.
    SignatureWanted {
        /// The incarnation it was ordered for.
        epoch: Epoch,
        /// The order it answers.
        operation: OperationId,
        /// The root under which the intermediate shall be.
        root: NewIssuer,
        /// The request.
        csr: Der,
        /// What the provider must remember, sealed.
        state: Sealed,
    },
    /// Here is the intermediate that was signed outside.
    SignatureGiven {
        /// The signed intermediate first, then what links it to the root.
        chain: Vec<Der>,
    },
    /// The provider does not take the intermediate that was signed outside: wait for another.
    SignatureRefused {
        /// The incarnation that shall sign.
        epoch: Epoch,
    },
}
