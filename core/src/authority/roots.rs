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
    /// Certificates that lead from leafs to this root; the first one signs leafs. Empty if the
    /// root signs them itself.
    #[serde(default)]
    pub intermediates: Vec<Der>,
    /// Validity of the first intermediate, if one signs leafs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediate_life: Option<Life>,
    /// Whether somebody outside signed the intermediate, so that it cannot be renewed here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed_outside: bool,
    /// Certificates that lead from this root to older ones, the newest first: sent with leafs
    /// for peers whose bundle is older than this root.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// Whether new leafs are issued under it. Exactly one root is active once there is any.
    pub active: bool,
    /// When it was added to the bundle: a bundle that a peer took earlier lacks it.
    pub added_at: Timestamp,
    /// When it stopped being active.
    #[serde(default)]
    pub rotated_out_at: Option<Timestamp>,
    /// Until when a bundle in which it is the newest root may be in use. Set at the switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundles_until: Option<Timestamp>,
    /// Until when leafs under it may be alive: what the leases said whenever another root began
    /// to sign. An issuer's lease names the newest root under which it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leafs_until: Option<Timestamp>,
    /// When it goes from the bundle whatever leafs of it are alive: its key is compromised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retire_at: Option<Timestamp>,
    /// `ec` or `rsa`.
    pub private_key_type: String,
    /// Key size in bits.
    pub private_key_bits: u32,
    /// The newest incarnation of the backend that issues, or issued, under it.
    pub epoch: Epoch,
    /// Revision at which it was added.
    pub create_index: u64,
    /// Revision at which it last changed.
    pub modify_index: u64,
}

/// The first and the last second in which a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a life has two ends and nothing else"
)]
pub struct Life {
    /// From then on.
    pub not_before: Timestamp,
    /// Until then.
    pub not_after: Timestamp,
}

impl Life {
    /// The middle of it, when an intermediate is renewed.
    #[must_use]
    pub fn middle(self) -> Timestamp {
        let half = self.not_after.saturating_since(self.not_before) / 2;
        self.not_before.saturating_add(half)
    }
}

/// A root's name and key, signed by an older root: a cross-signed certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by whoever checked the certificate"
)]
pub struct Link {
    /// Id of the root whose name and key it carries.
    pub subject: String,
    /// Id of the root that signed it.
    pub signer: String,
    /// The certificate.
    pub certificate: Der,
    /// End of its validity.
    pub not_after: Timestamp,
    /// From then on every bundle in use has the subject root itself. Set at the switch.
    pub needed_until: Timestamp,
}

/// Who shall sign leafs, as far as the authority keeps it: a checked root, and the intermediate
/// under it if that one signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by whoever checked the certificates"
)]
pub struct NewIssuer {
    /// SHA-1 of the root's DER, colon-separated lower-case hex.
    pub id: String,
    /// `Consul CA Root Cert` and the like.
    pub name: String,
    /// Low 64 bits of the root's serial number.
    pub serial_number: u64,
    /// Key identifier of the key that signs leafs, colon-separated hex.
    pub signing_key_id: String,
    /// Start of the root's validity.
    pub not_before: Timestamp,
    /// End of the root's validity.
    pub not_after: Timestamp,
    /// The root.
    pub certificate: Der,
    /// Intermediates that lead from leafs to the root, the one that signs leafs first.
    pub intermediates: Vec<Der>,
    /// Validity of the first intermediate, if one signs leafs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intermediate_life: Option<Life>,
    /// Whether somebody outside signed the intermediate, so that it cannot be renewed here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub signed_outside: bool,
    /// `ec` or `rsa`.
    pub private_key_type: String,
    /// Key size of the root in bits.
    pub private_key_bits: u32,
}

impl NewIssuer {
    /// The row of this root as the active one.
    pub(super) fn activated(
        self,
        epoch: Epoch,
        links: Vec<Link>,
        index: u64,
        wall: Timestamp,
    ) -> CaRoot {
        CaRoot {
            id: self.id,
            name: self.name,
            serial_number: self.serial_number,
            signing_key_id: self.signing_key_id,
            not_before: self.not_before,
            not_after: self.not_after,
            certificate: self.certificate,
            intermediates: self.intermediates,
            intermediate_life: self.intermediate_life,
            signed_outside: self.signed_outside,
            links,
            active: true,
            added_at: wall,
            rotated_out_at: None,
            bundles_until: None,
            leafs_until: None,
            retire_at: None,
            private_key_type: self.private_key_type,
            private_key_bits: self.private_key_bits,
            epoch,
            create_index: index,
            modify_index: index,
        }
    }
}
