//! What a plugin is asked: the templates say what a certificate shall say.

use std::ops::BitOr;

use crate::{Certificate, KeyType, Timestamp};

/// The time in which a certificate counts, both ends included, in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a span has two ends and nothing else"
)]
pub struct Validity {
    /// From then on.
    pub not_before: Timestamp,
    /// Until then. A plugin shortens this to the end of whatever signs, and never lengthens it.
    pub not_after: Timestamp,
}

/// A wish for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootRequest {
    /// Which wish this is, in 32 hexadecimal digits. The same one may come again after a crash:
    /// a CA that has made a root for it answers with that one.
    pub operation: String,
    /// Whether a new root is wanted although there is one.
    pub renew: bool,
    /// What it shall say if one has to be made.
    pub template: RootTemplate,
}

/// What a root shall say. [`certificate::root`](crate::certificate::root) writes it so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RootTemplate {
    /// The only attribute of the subject.
    pub common_name: String,
    /// The only subject alternative name, a URI.
    pub uri: String,
    /// The serial number, the most significant byte first.
    pub serial: Vec<u8>,
    /// The key to make.
    pub key: KeyType,
    /// When it shall live.
    pub validity: Validity,
}

/// A wish for the intermediate that signs leafs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntermediateRequest {
    /// Which wish this is, as in [`RootRequest`].
    pub operation: String,
    /// Whether a new one is wanted although there is one under this root.
    pub renew: bool,
    /// The key to make.
    pub key: KeyType,
    /// What it shall say. In a CSR only name and URI appear.
    pub template: IntermediateTemplate,
}

/// What an intermediate shall say: as a root, but for the issuer and the path length.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IntermediateTemplate {
    /// The only attribute of the subject.
    pub common_name: String,
    /// The only subject alternative name, a URI.
    pub uri: String,
    /// The serial number, the most significant byte first.
    pub serial: Vec<u8>,
    /// When it shall live.
    pub validity: Validity,
    /// How many CA certificates may follow below it.
    pub path_length: u8,
}

/// An intermediate, or the wish for one.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntermediateAnswer {
    /// The intermediate first, then what links it to the root; the root is left out. It signs
    /// leafs from now on.
    Ready(Vec<Certificate>),
    /// A request (PKCS #10, DER) that somebody else must sign:
    /// [`certificate::csr`](crate::certificate::csr) makes one.
    Csr(Vec<u8>),
}

/// A leaf to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeafRequest {
    /// The request as it came (PKCS #10, DER), its signature verified by the host. Only its key
    /// counts.
    pub csr: Vec<u8>,
    /// The key of it, a SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// What the leaf shall say.
    pub template: LeafTemplate,
}

/// What a leaf shall say. [`Issuer::leaf`](crate::Issuer::leaf) writes it so.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeafTemplate {
    /// The only attribute of the subject.
    pub common_name: String,
    /// The only subject alternative name, a URI: the SPIFFE ID.
    pub uri: String,
    /// The serial number, the most significant byte first.
    pub serial: Vec<u8>,
    /// When it shall live.
    pub validity: Validity,
    /// The critical key usages.
    pub key_usages: KeyUsages,
    /// The extended key usages, in this order.
    pub extended_key_usages: Vec<ExtendedKeyUsage>,
}

/// An intermediate to sign for another's key.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignIntermediateRequest {
    /// The request as it came (PKCS #10, DER), its signature verified by the host. Only its key
    /// counts.
    pub csr: Vec<u8>,
    /// The key of it, a SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// What the intermediate shall say.
    pub template: IntermediateTemplate,
}

/// Another CA's root to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CrossSignRequest {
    /// Its subject, key and extensions are kept to the byte; issuer, serial, validity and
    /// authority key identifier become ours.
    pub root: Certificate,
    /// The serial number, the most significant byte first.
    pub serial: Vec<u8>,
    /// When it shall live.
    pub validity: Validity,
}

/// What may be given up, because another CA has taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CleanUpRequest {
    /// How much is over.
    pub scope: CleanUpScope,
    /// Certificates that are still trusted or still sign: nothing of them may be removed.
    pub keep: Vec<Certificate>,
}

/// How much of what a plugin holds is no longer needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CleanUpScope {
    /// It will sign no more leafs, but peers still trust its root.
    Issuing,
    /// Nobody trusts anything of it any more.
    Everything,
}

/// What a key may be used for (RFC 5280 §4.2.1.3), as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsages(u16);

impl KeyUsages {
    /// Bit 0.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// Bit 1.
    pub const CONTENT_COMMITMENT: Self = Self(1 << 1);
    /// Bit 2.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// Bit 3.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// Bit 4.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// Bit 5.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// Bit 6.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// Bit 7.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// Bit 8.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    /// Whether all of `others` are among these.
    #[must_use]
    pub const fn contains(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Both sets.
    #[must_use]
    pub const fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// The set as a number: bit n of RFC 5280 has the value 2ⁿ.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    #[cfg(target_family = "wasm")]
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }
}

impl BitOr for KeyUsages {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

/// What a certificate may be used for (RFC 5280 §4.2.1.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtendedKeyUsage {
    /// TLS client.
    ClientAuth,
    /// TLS server.
    ServerAuth,
}
