//! Writing certificates and requests.

use sha2::{Digest as _, Sha256};

use super::der::{OID, Reader, SEQUENCE, SET, UTF8_STRING, Writer, constructed};
use super::extensions::{self, Constraints};
use super::{Certificate, facts, time};
use crate::{Error, Key, KeyUsages, RootTemplate, Validity};

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.2.840.113549.1.9.14, the extensions that a request asks for.
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// `[0] { INTEGER 2 }`
const VERSION_3: &[u8] = &[0xa0, 0x03, 0x02, 0x01, 0x02];
/// Room for a leaf with a P-256 key, so that the buffer need not grow.
const USUAL_SIZE: usize = 1024;

/// A root: what `template` says, signed by its own key.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) if the template cannot be written.
pub fn root(key: &Key, template: &RootTemplate) -> Result<Certificate, Error> {
    check_uri(&template.uri)?;
    let public_key = key.public_key();
    let id = key_id(&public_key);
    let name = name(&template.common_name);
    let draft = Draft {
        serial: &template.serial,
        algorithm: &key.signature_algorithm(),
        issuer: &name,
        validity: template.validity,
        subject: &name,
        public_key: &public_key,
    };
    draft.sign(key, |writer| {
        extensions::authority_key_id(writer, &id);
        ca_extensions(writer, &template.uri, &id, None);
    })
}

/// A request for an intermediate (PKCS #10, DER) with that name and URI, signed by `key`.
///
/// # Errors
/// [`Refused`](crate::ErrorKind::Refused) if the URI is not ASCII.
pub fn csr(key: &Key, common_name: &str, uri: &str) -> Result<Vec<u8>, Error> {
    check_uri(uri)?;
    let mut writer = Writer::with_capacity(USUAL_SIZE);
    writer.nested(SEQUENCE, |writer| {
        let start = writer.len();
        writer.nested(SEQUENCE, |writer| {
            writer.unsigned(&[0]);
            writer.raw(&name(common_name));
            writer.raw(&key.public_key());
            writer.nested(constructed(0), |writer| {
                writer.nested(SEQUENCE, |writer| {
                    writer.value(OID, EXTENSION_REQUEST);
                    writer.nested(SET, |writer| {
                        writer.nested(SEQUENCE, |writer| extensions::uri(writer, uri));
                    });
                });
            });
        });
        let signature = key.sign(writer.since(start));
        writer.raw(&key.signature_algorithm());
        writer.bit_string(&signature);
    });
    Ok(writer.into_bytes())
}

/// The identifier of a key, as Chancery writes it: the SHA-256 of the SubjectPublicKeyInfo.
#[must_use]
pub fn key_id(public_key: &[u8]) -> [u8; 32] {
    Sha256::digest(public_key).into()
}

/// What stands in a certificate before its extensions.
pub(super) struct Draft<'a> {
    pub(super) serial: &'a [u8],
    pub(super) algorithm: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) validity: Validity,
    pub(super) subject: &'a [u8],
    pub(super) public_key: &'a [u8],
}

impl Draft<'_> {
    /// Writes it with the extensions that `extend` writes, and has it signed.
    pub(super) fn sign(
        &self,
        key: &Key,
        extend: impl FnOnce(&mut Writer),
    ) -> Result<Certificate, Error> {
        self.finish(extend, |bytes| key.sign(bytes))
    }

    /// Writes it with a signature that is none, for somebody else to sign.
    pub(super) fn unsigned(&self, extend: impl FnOnce(&mut Writer)) -> Result<Certificate, Error> {
        self.finish(extend, |_bytes| vec![0])
    }

    fn finish(
        &self,
        extend: impl FnOnce(&mut Writer),
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Certificate, Error> {
        time::check(self.validity.not_before)?;
        time::check(self.validity.not_after)?;
        check_public_key(self.public_key)?;
        if !(1..=MAX_SERIAL).contains(&self.serial.len()) {
            return Err(Error::refused(format!(
                "a serial number of {} bytes cannot be written: it must have 1 to {MAX_SERIAL}",
                self.serial.len()
            )));
        }
        let mut writer = Writer::with_capacity(USUAL_SIZE);
        writer.nested(SEQUENCE, |writer| {
            let start = writer.len();
            writer.nested(SEQUENCE, |writer| self.write(writer, extend));
            let signature = sign(writer.since(start));
            writer.raw(self.algorithm);
            writer.bit_string(&signature);
        });
        Ok(Certificate::from_der(writer.into_bytes()))
    }

    fn write(&self, writer: &mut Writer, extend: impl FnOnce(&mut Writer)) {
        writer.raw(VERSION_3);
        writer.unsigned(self.serial);
        writer.raw(self.algorithm);
        writer.raw(self.issuer);
        writer.nested(SEQUENCE, |writer| {
            time::write(writer, self.validity.not_before);
            time::write(writer, self.validity.not_after);
        });
        writer.raw(self.subject);
        writer.raw(self.public_key);
        writer.nested(constructed(3), |writer| writer.nested(SEQUENCE, extend));
    }
}

/// What every CA of ours has beside the authority key identifier.
pub(super) fn ca_extensions(writer: &mut Writer, uri: &str, id: &[u8], path_length: Option<u8>) {
    extensions::uri(writer, uri);
    extensions::key_usages(writer, KeyUsages::KEY_CERT_SIGN | KeyUsages::CRL_SIGN);
    extensions::subject_key_id(writer, id);
    extensions::basic_constraints(writer, Constraints::Ca(path_length));
}

/// A name of one attribute.
pub(super) fn name(common_name: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(common_name.len() + 32);
    writer.nested(SEQUENCE, |writer| {
        writer.nested(SET, |writer| {
            writer.nested(SEQUENCE, |writer| {
                writer.value(OID, COMMON_NAME);
                writer.value(UTF8_STRING, common_name.as_bytes());
            });
        });
    });
    writer.into_bytes()
}

pub(super) fn check_uri(uri: &str) -> Result<(), Error> {
    if uri.is_ascii() {
        return Ok(());
    }
    Err(Error::refused(format!(
        "{uri:?} cannot stand in a certificate: a URI must be ASCII"
    )))
}

fn check_public_key(der: &[u8]) -> Result<(), Error> {
    let mut reader = Reader::new(der);
    reader
        .expect(SEQUENCE)
        .filter(|_| reader.is_empty())
        .and_then(facts::check_public_key)
        .ok_or_else(|| Error::refused("these bytes are no public key"))
}

/// RFC 5280 §4.1.2.2.
const MAX_SERIAL: usize = 20;
