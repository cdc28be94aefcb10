//! A leaf that a provider returned, checked before anybody is served.

use super::facts::Facts;
use super::{
    Algorithms, CaPolicy, Issuer, KeyId, LeafPolicy, PeerRole, Serial, SignatureCheck, Violation,
    certificates_to_pem, rules,
};
use crate::identity::SpiffeId;
use crate::time::Timestamp;

/// A leaf that holds what was asked for and nothing more, with the certificates that a provider
/// returned behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedLeaf {
    chain_der: Vec<Vec<u8>>,
    identity: SpiffeId,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
    authority_key_id: KeyId,
}

/// What was asked of whoever signed a leaf.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever asks must say every expectation, so a new one must break the caller"
)]
pub struct LeafExpectation<'a> {
    /// Who the leaf is for.
    pub identity: &'a SpiffeId,
    /// The request's public key.
    pub spki_der: &'a [u8],
    /// The earliest first second. Inside the issuer's life in any case.
    pub not_before: Timestamp,
    /// The latest last second. Inside the issuer's life in any case.
    pub not_after: Timestamp,
    /// The authority that was to sign it.
    pub issuer: &'a Issuer,
    /// What it may contain.
    pub policy: &'a LeafPolicy,
    /// Whether to verify the signature.
    pub signature: SignatureCheck,
}

impl CheckedLeaf {
    /// Checks what a provider returned: the leaf first, then the CAs' certificates that it
    /// wants to be sent along.
    ///
    /// # Errors
    /// The first rule or expectation that the leaf or a certificate behind it breaks.
    pub fn check(
        chain_der: Vec<Vec<u8>>,
        expected: &LeafExpectation<'_>,
        algorithms: Algorithms<'_>,
        now: Timestamp,
    ) -> Result<Self, Violation> {
        rules::check_size(&chain_der)?;
        let Some((leaf, behind)) = chain_der.split_first() else {
            return Err(Violation::ChainLength {
                found: 0,
                allowed: 1,
            });
        };
        let facts = Facts::parse(leaf)?;
        check_expected(&facts, expected, algorithms, now)?;
        for der in behind {
            let facts = Facts::parse(der)?;
            rules::check_ca(&facts, &CaPolicy::any())?;
            rules::check_validity(&facts, now)?;
        }
        let checked = Self {
            chain_der: Vec::new(),
            identity: expected.identity.clone(),
            serial: facts.serial.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            authority_key_id: expected.issuer.subject_key_id().clone(),
        };
        drop(facts);
        Ok(Self {
            chain_der,
            ..checked
        })
    }

    /// Who the leaf is for.
    #[must_use]
    pub const fn identity(&self) -> &SpiffeId {
        &self.identity
    }

    /// The leaf's serial number.
    #[must_use]
    pub const fn serial(&self) -> &Serial {
        &self.serial
    }

    /// The first second of its life.
    #[must_use]
    pub const fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// The last second of its life.
    #[must_use]
    pub const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// The identifier of the key that signed it.
    #[must_use]
    pub const fn authority_key_id(&self) -> &KeyId {
        &self.authority_key_id
    }

    /// The leaf and what the provider returned behind it, in DER.
    #[must_use]
    pub fn chain_der(&self) -> &[Vec<u8>] {
        &self.chain_der
    }

    /// The chain in PEM, each certificate ending in a newline.
    #[must_use]
    pub fn pem(&self) -> String {
        certificates_to_pem(&self.chain_der)
    }
}

fn check_expected(
    facts: &Facts<'_>,
    expected: &LeafExpectation<'_>,
    algorithms: Algorithms<'_>,
    now: Timestamp,
) -> Result<(), Violation> {
    // The role only matters to a policy that asks for less than both purposes.
    let uri = rules::check_leaf(facts, expected.policy, PeerRole::Client)?;
    let identity = SpiffeId::parse(uri).map_err(Violation::Identity)?;
    if identity != *expected.identity {
        return Err(Violation::WrongIdentity {
            found: identity.to_string(),
            allowed: expected.identity.to_string(),
        });
    }
    if facts.spki_der() != expected.spki_der {
        return Err(Violation::KeyMismatch);
    }
    rules::check_validity(facts, now)?;
    if facts.not_before < expected.not_before.whole_seconds() {
        return Err(Violation::StartsTooEarly {
            found: facts.not_before,
            allowed: expected.not_before.whole_seconds(),
        });
    }
    if facts.not_after > expected.not_after {
        return Err(Violation::OutlivesRequest {
            found: facts.not_after,
            allowed: expected.not_after,
        });
    }
    expected
        .issuer
        .check_issued(facts, expected.signature, algorithms)
}
