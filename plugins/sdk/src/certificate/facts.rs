//! What a certificate says.

use super::der::{INTEGER, OID, Reader, SEQUENCE, Value, constructed};
use super::extensions::{self, Extension};
use super::time;
use crate::{Timestamp, Validity};

/// What a certificate says, as far as a CA has to know. Nothing here is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Facts<'a> {
    /// The serial number, the most significant byte first, without leading zeros.
    pub serial: &'a [u8],
    /// The issuer's name, DER.
    pub issuer: &'a [u8],
    /// When it counts.
    pub validity: Validity,
    /// The subject's name, DER.
    pub subject: &'a [u8],
    /// The key, a SubjectPublicKeyInfo, DER.
    pub public_key: &'a [u8],
    /// The subject key identifier.
    pub subject_key_id: Option<&'a [u8]>,
    /// The key identifier in the authority key identifier.
    pub authority_key_id: Option<&'a [u8]>,
    /// Whether it is a CA's (basic constraints).
    pub ca: bool,
    /// How many CA certificates may follow below it; no limit if absent.
    pub path_length: Option<u8>,
    /// How it is signed, an AlgorithmIdentifier, DER.
    pub(super) signature_algorithm: &'a [u8],
    /// The extensions one after another, DER.
    pub(super) extensions: &'a [u8],
}

impl<'a> Facts<'a> {
    /// Whether issuer and subject are one, as in a root.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// Whether it counts at that moment.
    #[must_use]
    pub const fn is_valid_at(&self, now: Timestamp) -> bool {
        self.validity.not_before <= now && now <= self.validity.not_after
    }

    /// `None` if these bytes are no certificate, or more than one.
    pub(super) fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der).only(SEQUENCE)?;
        let signed = outer.expect(SEQUENCE)?;
        let signature_algorithm = outer.expect(SEQUENCE)?.raw;
        let mut parts = Reader::new(signed.content);
        let _version = parts.optional(constructed(0));
        let serial = parts.expect(INTEGER)?.content;
        let _algorithm = parts.expect(SEQUENCE)?;
        let issuer = parts.expect(SEQUENCE)?.raw;
        let mut validity = Reader::new(parts.expect(SEQUENCE)?.content);
        let validity = Validity {
            not_before: time::read(validity.any()?)?,
            not_after: time::read(validity.any()?)?,
        };
        let subject = parts.expect(SEQUENCE)?.raw;
        let public_key = parts.expect(SEQUENCE)?;
        check_public_key(public_key)?;
        let mut facts = Self {
            serial: serial.strip_prefix(&[0]).unwrap_or(serial),
            issuer,
            validity,
            subject,
            public_key: public_key.raw,
            subject_key_id: None,
            authority_key_id: None,
            ca: false,
            path_length: None,
            signature_algorithm,
            extensions: &[],
        };
        while !parts.is_empty() {
            let part = parts.any()?;
            if part.tag == constructed(3) {
                facts.extensions = Reader::new(part.content).only(SEQUENCE)?.rest();
                facts.read_extensions()?;
            }
        }
        Some(facts)
    }

    fn read_extensions(&mut self) -> Option<()> {
        let mut reader = Reader::new(self.extensions);
        while !reader.is_empty() {
            let Extension { oid, content, .. } = extensions::read(&mut reader)?;
            match oid {
                extensions::SUBJECT_KEY_ID => {
                    self.subject_key_id = Some(extensions::read_octets(content)?);
                }
                extensions::AUTHORITY_KEY_ID => {
                    self.authority_key_id = extensions::read_authority(content);
                }
                extensions::BASIC_CONSTRAINTS => {
                    (self.ca, self.path_length) = extensions::read_constraints(content)?;
                }
                _ => {}
            }
        }
        Some(())
    }
}

/// That `value` has the form of a SubjectPublicKeyInfo: an algorithm and a bit string.
pub(super) fn check_public_key(value: Value<'_>) -> Option<()> {
    let mut parts = Reader::new(value.content);
    Reader::new(parts.expect(SEQUENCE)?.content).expect(OID)?;
    parts.only(super::der::BIT_STRING).map(drop)
}
