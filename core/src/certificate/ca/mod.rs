//! Roots and intermediates that have passed the policy.

mod request;

use sha1::{Digest as _, Sha1};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::facts::Facts;
use super::identifier::colon_hex;
use super::{
    Algorithms, CaPolicy, KeyId, KeyKind, Serial, SignatureCheck, Violation, certificates_to_pem,
    rules, signature,
};
use crate::time::Timestamp;

/// What is known of a certificate authority's certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer {
    der: Vec<u8>,
    subject_der: Vec<u8>,
    subject: String,
    spki_der: Vec<u8>,
    key: KeyKind,
    key_id: KeyId,
    serial: Serial,
    not_before: Timestamp,
    not_after: Timestamp,
    path_length: Option<u32>,
}

impl Issuer {
    /// Reads a CA's certificate and applies the rules that it can be asked alone.
    fn read(facts: &Facts<'_>, policy: &CaPolicy) -> Result<Self, Violation> {
        let key_id = rules::check_ca(facts, policy)?;
        let constraints = facts.extensions.basic_constraints.as_ref();
        Ok(Self {
            der: facts.der.to_vec(),
            subject_der: facts.subject_der().to_vec(),
            subject: facts.subject(),
            spki_der: facts.spki_der().to_vec(),
            key: facts.key.clone(),
            key_id: KeyId::from_bytes(key_id),
            serial: facts.serial.clone(),
            not_before: facts.not_before,
            not_after: facts.not_after,
            path_length: constraints.and_then(|constraints| constraints.path_length),
        })
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM, ending in a newline.
    #[must_use]
    pub fn pem(&self) -> String {
        certificates_to_pem([&self.der])
    }

    /// Its subject's name in DER, as it must stand in what it issues.
    #[must_use]
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// Its subject for people.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Its public key as a SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn spki_der(&self) -> &[u8] {
        &self.spki_der
    }

    /// The kind of its key.
    #[must_use]
    pub const fn key(&self) -> &KeyKind {
        &self.key
    }

    /// The identifier of its key (SKI): what it issues has it as AKI.
    #[must_use]
    pub const fn subject_key_id(&self) -> &KeyId {
        &self.key_id
    }

    /// Its serial number.
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

    /// How many CAs it permits below itself; no limit if absent.
    #[must_use]
    pub const fn path_length(&self) -> Option<u32> {
        self.path_length
    }

    /// That `facts` was issued by this authority: name, key identifier, end of life and, if
    /// asked, signature.
    pub(super) fn check_issued(
        &self,
        facts: &Facts<'_>,
        check: SignatureCheck,
        algorithms: Algorithms<'_>,
    ) -> Result<(), Violation> {
        if facts.issuer_der() != self.subject_der {
            return Err(Violation::IssuerName {
                found: facts.issuer(),
                allowed: self.subject.clone(),
            });
        }
        rules::check_authority_key_id(facts, self.key_id.as_bytes())?;
        if facts.not_after > self.not_after {
            return Err(Violation::OutlivesIssuer {
                found: facts.not_after,
                allowed: self.not_after,
            });
        }
        if facts.not_before < self.not_before {
            return Err(Violation::StartsTooEarly {
                found: facts.not_before,
                allowed: self.not_before,
            });
        }
        match check {
            SignatureCheck::ParseOnly => Ok(()),
            SignatureCheck::Verify => {
                let (_, key) =
                    SubjectPublicKeyInfo::from_der(&self.spki_der).map_err(|_error| {
                        Violation::Malformed {
                            what: "the issuer's public key",
                            allowed: "a SubjectPublicKeyInfo in DER",
                        }
                    })?;
                signature::verify_certificate(algorithms, &key, &facts.certificate)
            }
        }
    }
}

/// A root that may be trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRoot {
    issuer: Issuer,
}

impl CheckedRoot {
    /// Checks a root that a provider presents: form, key, usages, its own signature, and that
    /// it is valid now.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(
        der: &[u8],
        policy: &CaPolicy,
        algorithms: Algorithms<'_>,
        now: Timestamp,
    ) -> Result<Self, Violation> {
        let facts = Facts::parse(der)?;
        let root = Self::read(&facts, policy)?;
        rules::check_validity(&facts, now)?;
        signature::verify_certificate(
            algorithms,
            &facts.certificate.subject_pki,
            &facts.certificate,
        )?;
        Ok(root)
    }

    /// Reads a root that has been trusted before (from a store, or from an agent's bundle): its
    /// form is checked again, its signature and validity are not.
    ///
    /// # Errors
    /// The first rule of form that it breaks.
    pub fn restore(der: &[u8]) -> Result<Self, Violation> {
        Self::read(&Facts::parse(der)?, &CaPolicy::any())
    }

    fn read(facts: &Facts<'_>, policy: &CaPolicy) -> Result<Self, Violation> {
        let issuer = Issuer::read(facts, policy)?;
        if facts.issuer_der() != facts.subject_der() {
            return Err(Violation::IssuerName {
                found: facts.issuer(),
                allowed: facts.subject(),
            });
        }
        if facts.extensions.authority_key_id.is_some() {
            rules::check_authority_key_id(facts, issuer.key_id.as_bytes())?;
        }
        Ok(Self { issuer })
    }

    /// What is known of the certificate.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// Consul's identifier of a root: the SHA-1 of its DER in colon hex.
    #[must_use]
    pub fn id(&self) -> String {
        colon_hex(&Sha1::digest(&self.issuer.der))
    }
}

/// An intermediate that may sign leafs, or a root's cross-signed certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedIntermediate {
    issuer: Issuer,
}

/// What was asked of whoever made an intermediate.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "whoever asks must say every expectation, so a new one must break the caller"
)]
pub struct IntermediateExpectation<'a> {
    /// The public key it must hold.
    pub spki_der: &'a [u8],
    /// The authority that was to sign it.
    pub issuer: &'a Issuer,
    /// The last second it may live to.
    pub not_after: Timestamp,
    /// What it may contain.
    pub policy: &'a CaPolicy,
    /// Whether to verify the signature.
    pub signature: SignatureCheck,
}

impl CheckedIntermediate {
    /// Checks an intermediate that a provider returned.
    ///
    /// # Errors
    /// The first rule or expectation that it breaks.
    pub fn check(
        der: &[u8],
        expected: &IntermediateExpectation<'_>,
        algorithms: Algorithms<'_>,
        now: Timestamp,
    ) -> Result<Self, Violation> {
        let facts = Facts::parse(der)?;
        let issuer = Issuer::read(&facts, expected.policy)?;
        rules::check_validity(&facts, now)?;
        if facts.spki_der() != expected.spki_der {
            return Err(Violation::KeyMismatch);
        }
        if facts.not_after > expected.not_after {
            return Err(Violation::OutlivesRequest {
                found: facts.not_after,
                allowed: expected.not_after,
            });
        }
        expected
            .issuer
            .check_issued(&facts, expected.signature, algorithms)?;
        if expected.issuer.path_length == Some(0) {
            return Err(Violation::PathLength {
                found: "1".to_owned(),
                allowed: "0".to_owned(),
            });
        }
        Ok(Self { issuer })
    }

    /// Reads an intermediate that has been checked before (from a store).
    ///
    /// # Errors
    /// The first rule of form that it breaks.
    pub fn restore(der: &[u8]) -> Result<Self, Violation> {
        let issuer = Issuer::read(&Facts::parse(der)?, &CaPolicy::any())?;
        Ok(Self { issuer })
    }

    /// What is known of the certificate.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }
}

#[cfg(test)]
mod tests;
