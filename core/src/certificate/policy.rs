//! What certificates and requests may contain, as data.

use std::fmt;

use super::{KeyKind, KeyUsages, SignatureCheck};
use crate::identity::{Datacenter, TrustDomain};

/// Which keys are good enough.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct KeyPolicy {
    /// Whether Ed25519 is allowed beside P-256, P-384 and P-521.
    pub ed25519: bool,
    /// The smallest RSA modulus in bits.
    pub rsa_min_bits: usize,
    /// The largest RSA modulus in bits: verifying a huge one is a gift of CPU time.
    pub rsa_max_bits: usize,
}

/// What a leaf may contain.
///
/// There are two: what we issue is strict ([`LeafPolicy::issued`]), what a peer may show
/// ([`LeafPolicy::peer`]) also admits the leafs of Consul itself and of Vault.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeafPolicy {
    /// Which keys are allowed.
    pub keys: KeyPolicy,
    /// Usages that must be there.
    pub key_usages_needed: KeyUsages,
    /// Usages that may be there with an elliptic-curve key.
    pub key_usages_allowed_ec: KeyUsages,
    /// Usages that may be there with an RSA key.
    pub key_usages_allowed_rsa: KeyUsages,
    /// Which extended key usages are needed and allowed.
    pub purposes: Purposes,
    /// What may stand beside the URI in the subject alternative names.
    pub other_names: OtherNames,
}

/// What a certificate authority's certificate may contain.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CaPolicy {
    /// Which keys are allowed.
    pub keys: KeyPolicy,
    /// Usages that must be there.
    pub key_usages_needed: KeyUsages,
    /// Usages that may be there.
    pub key_usages_allowed: KeyUsages,
    /// The path length constraint that must be there, for an intermediate under which there
    /// is to be no other.
    pub path_length: Option<u32>,
}

/// What a certificate signing request may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CsrPolicy {
    /// Our trust domain.
    pub trust_domain: TrustDomain,
    /// Our datacenter.
    pub datacenter: Datacenter,
    /// Which keys are allowed.
    pub keys: KeyPolicy,
    /// What may stand beside the URI. Allowed names are dropped: the certificate has only the
    /// identity.
    pub other_names: OtherNames,
    /// Whether the requester must show that it holds the key. `ParseOnly` is for one that made
    /// key and request in this very program a moment ago, and for nobody else.
    pub signature: SignatureCheck,
}

/// What may stand beside the one URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OtherNames {
    /// DNS names and IP addresses.
    DnsAndIp,
    /// Nothing.
    Refused,
}

/// Which extended key usages a leaf must and may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purposes {
    /// clientAuth and serverAuth and no other.
    BothOnly,
    /// The one that the peer's role needs; others may be there, except anyExtendedKeyUsage.
    ByRole,
}

impl KeyPolicy {
    /// P-256, P-384, P-521, and RSA from 2,048 to 4,096 bits.
    #[must_use]
    pub const fn issued() -> Self {
        Self {
            ed25519: false,
            rsa_min_bits: 2048,
            rsa_max_bits: 4096,
        }
    }

    /// What is issued, and Ed25519.
    #[must_use]
    pub const fn peer() -> Self {
        Self {
            ed25519: true,
            ..Self::issued()
        }
    }

    /// Whether a key of that kind is allowed.
    #[must_use]
    pub const fn allows(&self, kind: &KeyKind) -> bool {
        match kind {
            KeyKind::Ed25519 => self.ed25519,
            KeyKind::Other(_) => false,
            KeyKind::P256 | KeyKind::P384 | KeyKind::P521 => true,
            KeyKind::Rsa { bits } => self.rsa_min_bits <= *bits && *bits <= self.rsa_max_bits,
        }
    }
}

impl fmt::Display for KeyPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ed25519 = if self.ed25519 { ", Ed25519" } else { "" };
        write!(
            f,
            "EC P-256, P-384, P-521{ed25519} and RSA {} to {}",
            self.rsa_min_bits, self.rsa_max_bits
        )
    }
}

impl LeafPolicy {
    /// What we issue: digitalSignature (and keyEncipherment for RSA keys), clientAuth and
    /// serverAuth, the URI and no other name.
    #[must_use]
    pub const fn issued() -> Self {
        Self {
            keys: KeyPolicy::issued(),
            key_usages_needed: KeyUsages::DIGITAL_SIGNATURE,
            key_usages_allowed_ec: KeyUsages::DIGITAL_SIGNATURE,
            key_usages_allowed_rsa: KeyUsages::DIGITAL_SIGNATURE.union(KeyUsages::KEY_ENCIPHERMENT),
            purposes: Purposes::BothOnly,
            other_names: OtherNames::Refused,
        }
    }

    /// What a peer may show. Consul 1.8 sets dataEncipherment and keyAgreement on every leaf,
    /// Vault puts the common name into a DNS name: both are harmless.
    #[must_use]
    pub const fn peer() -> Self {
        let usages = KeyUsages::DIGITAL_SIGNATURE
            .union(KeyUsages::CONTENT_COMMITMENT)
            .union(KeyUsages::KEY_ENCIPHERMENT)
            .union(KeyUsages::DATA_ENCIPHERMENT)
            .union(KeyUsages::KEY_AGREEMENT);
        Self {
            keys: KeyPolicy::peer(),
            key_usages_needed: KeyUsages::DIGITAL_SIGNATURE,
            key_usages_allowed_ec: usages,
            key_usages_allowed_rsa: usages,
            purposes: Purposes::ByRole,
            other_names: OtherNames::DnsAndIp,
        }
    }
}

impl LeafPolicy {
    /// Usages that may be there with a key of that kind: keyEncipherment belongs to RSA keys
    /// only. What we issue has all of them.
    #[must_use]
    pub const fn key_usages_allowed(&self, key: &KeyKind) -> KeyUsages {
        if key.is_rsa() {
            self.key_usages_allowed_rsa
        } else {
            self.key_usages_allowed_ec
        }
    }
}

impl CaPolicy {
    /// What any authority's certificate may contain, roots and intermediates alike.
    #[must_use]
    pub const fn any() -> Self {
        Self {
            keys: KeyPolicy::peer(),
            key_usages_needed: KeyUsages::KEY_CERT_SIGN,
            key_usages_allowed: KeyUsages::KEY_CERT_SIGN
                .union(KeyUsages::CRL_SIGN)
                .union(KeyUsages::DIGITAL_SIGNATURE)
                .union(KeyUsages::CONTENT_COMMITMENT),
            path_length: None,
        }
    }

    /// An intermediate under which only leafs may be: path length 0.
    #[must_use]
    pub const fn last_intermediate() -> Self {
        Self {
            path_length: Some(0),
            ..Self::any()
        }
    }
}

impl CsrPolicy {
    /// Requests for identities of `trust_domain` in `datacenter`, with one URI and no other
    /// name, signed by the key that they are for.
    #[must_use]
    pub const fn new(trust_domain: TrustDomain, datacenter: Datacenter) -> Self {
        Self {
            trust_domain,
            datacenter,
            keys: KeyPolicy::issued(),
            other_names: OtherNames::Refused,
            signature: SignatureCheck::Verify,
        }
    }
}
