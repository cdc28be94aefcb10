//! What can be asked of the authority.

use crate::{Der, Sealed, Timestamp};

use super::{CaConfiguration, Epoch, OperationId};

/// A wish, or the result of an effect, which comes back as a command like any other.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum AuthorityCommand {
    /// Found the trust domain. Only while no CA state exists at all.
    Bootstrap {
        /// 16 random bytes for the trust domain, unless the configuration fixes it.
        cluster_id: [u8; 16],
        /// The provider and its options.
        configuration: CaConfiguration,
        /// The id for the order of the first root.
        operation: OperationId,
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
    /// The provider has made the root that was ordered.
    RootGenerated {
        /// The incarnation it was ordered for.
        epoch: Epoch,
        /// The order it answers.
        operation: OperationId,
        /// The root, checked against the certificate policy.
        root: NewRoot,
        /// What the provider must remember, sealed: committed together with the root, so that a
        /// key that is not durable never signs.
        state: Sealed,
    },
}

/// What a checked root certificate says of itself, as far as the authority keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by whoever checked the certificate"
)]
pub struct NewRoot {
    /// SHA-1 of the DER, colon-separated lower-case hex.
    pub id: String,
    /// `Consul CA Root Cert` and the like.
    pub name: String,
    /// Low 64 bits of the serial number.
    pub serial_number: u64,
    /// Key identifier of the key that signs leafs, colon-separated hex.
    pub signing_key_id: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The certificate.
    pub certificate: Der,
    /// Intermediates that lead from leafs to the root.
    pub intermediates: Vec<Der>,
    /// `ec` or `rsa`.
    pub private_key_type: String,
    /// Key size in bits.
    pub private_key_bits: u32,
}
