//! The roots that the trust domain trusts.

use serde::{Deserialize, Serialize};

use super::Epoch;
use crate::{Der, Timestamp};

/// One trusted root, active or rotated out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaRoot {
    /// SHA-1 of the certificate's DER as colon-separated lower-case hex: Consul's root id.
    pub id: String,
    /// What people read: `Consul CA Root Cert` for the built-in provider.
    pub name: String,
    /// The low 64 bits of the serial number; clients read it as a JSON number.
    pub serial_number: u64,
    /// Key identifier of the key that signs leafs under this root, as colon-separated hex. It
    /// equals the authority key identifier of those leafs: a leaf whose identifier differs from
    /// the active root's is due for renewal.
    pub signing_key_id: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// The root certificate.
    pub certificate: Der,
    /// Certificates that lead from leafs to this root, and from this root to older ones.
    #[serde(default)]
    pub intermediates: Vec<Der>,
    /// Whether new leafs are issued under it. Exactly one root is active once there is any.
    pub active: bool,
    /// When it was added to the bundle: a bundle that a peer took earlier lacks it.
    pub added_at: Timestamp,
    /// When it stopped being active.
    #[serde(default)]
    pub rotated_out_at: Option<Timestamp>,
    /// `ec` or `rsa`.
    pub private_key_type: String,
    /// Key size in bits.
    pub private_key_bits: u32,
    /// The incarnation of the backend that holds its key.
    pub epoch: Epoch,
    /// Revision at which it was added.
    pub create_index: u64,
    /// Revision at which it last changed.
    pub modify_index: u64,
}
