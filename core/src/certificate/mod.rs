//! What a certificate may contain, checked on the way in, on the way out and at every handshake.
//!
//! TLS stacks verify chains, not identities: rustls and OpenSSL accept a peer with two URIs, a
//! CA bit, a foreign trust domain or an issuer that may not sign. The rules here are ours, they
//! are data ([`LeafPolicy`], [`CaPolicy`], [`CsrPolicy`]), and each has a [`Violation`] that
//! says what was found and what is allowed.
//!
//! | what comes in | what comes out | who calls |
//! |---|---|---|
//! | a CSR | [`CheckedCsr`] | whoever signs |
//! | what a provider returned | [`CheckedLeaf`], [`CheckedIntermediate`], [`CheckedRoot`] | whoever serves it |
//! | a peer's chain | [`VerifiedPeer`] | both ends of every connection |
//! | any certificate | [`CertificateSummary`] | whoever shows it to a person |
//!
//! A certificate is parsed once; signatures are verified with the algorithms that the caller
//! passes, so that the crate has no cryptography of its own.

mod ca;
mod chain;
mod csr;
mod der;
mod facts;
mod identifier;
mod key_kind;
mod key_usage;
mod leaf;
mod pem;
mod policy;
mod rules;
mod signature;
mod summary;
mod violation;

pub use ca::{CheckedIntermediate, CheckedRoot, IntermediateExpectation, Issuer};
pub use chain::{PeerRole, TrustBundle, VerifiedPeer};
pub use csr::CheckedCsr;
pub use der::Der;
pub use identifier::{KeyId, Serial};
pub use key_kind::KeyKind;
pub use key_usage::KeyUsages;
pub use leaf::{CheckedLeaf, LeafExpectation};
pub use pem::{certificates_from_pem, certificates_to_pem};
pub use policy::{CaPolicy, CsrPolicy, KeyPolicy, LeafPolicy, OtherNames, Purposes};
pub use signature::{Algorithms, SignatureCheck};
pub use summary::CertificateSummary;
pub use violation::Violation;

#[cfg(test)]
mod recorded;
#[cfg(test)]
mod testing;
