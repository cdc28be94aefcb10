//! A request for a certificate like the root's, which another CA signs.
//!
//! What it asks for is copied from the root, byte for byte: rcgen would write the name anew, and
//! has no room for a key identifier in a request.

use rcgen::{CertificateParams, SigningKey as _};
use rustls_pki_types::CertificateSigningRequestDer;

use super::der;
use super::issuer::{Draft, Issuer, parse};
use super::sign;
use crate::ProviderError;

/// A request with the name, the key and every extension of `root` but the authority key
/// identifier, which is the signer's.
pub(super) fn for_root(
    root: &Issuer,
) -> Result<CertificateSigningRequestDer<'static>, ProviderError> {
    let certificate = parse(root.certificate())?;
    let unreadable = || ProviderError::broken("the root's certificate cannot be read");
    let asked_for = extensions(root.certificate()).ok_or_else(unreadable)?;
    let attribute = der::sequence(&[EXTENSION_REQUEST, &der::set(&[&asked_for])]);
    let signed_part = der::sequence(&[
        VERSION_1,
        certificate.subject().as_raw(),
        certificate.public_key().raw,
        &der::implicit_0(&[&attribute]),
    ]);
    let draft = CertificateParams::default()
        .serialize_request(&Draft(root.key().algorithm()))
        .map_err(sign::failed)?;
    let algorithm = algorithm(draft.der()).ok_or_else(unreadable)?;
    let signature = root.key().sign(&signed_part).map_err(sign::failed)?;
    let signature = der::bit_string(&signature);
    Ok(der::sequence(&[&signed_part, algorithm, &signature]).into())
}

/// The certificate's extensions in a list, without the authority key identifier.
fn extensions(certificate: &[u8]) -> Option<Vec<u8>> {
    let (mut rest, _) = der::split(der::content(certificate)?)?;
    rest = der::content(rest)?;
    let mut last = None;
    while !rest.is_empty() {
        let (field, after) = der::split(rest)?;
        (last, rest) = (Some(field), after);
    }
    let mut list = der::content(der::content(last?)?)?;
    let mut kept = Vec::new();
    while !list.is_empty() {
        let (extension, after) = der::split(list)?;
        if !der::content(extension)?.starts_with(AUTHORITY_KEY_ID) {
            kept.push(extension);
        }
        list = after;
    }
    Some(der::sequence(&kept))
}

/// How the draft of a request says that it is signed.
fn algorithm(request: &[u8]) -> Option<&[u8]> {
    let (_signed_part, rest) = der::split(der::content(request)?)?;
    let (algorithm, _no_signature) = der::split(rest)?;
    Some(algorithm)
}

/// The integer 0, which is version 1 of a request (RFC 2986 §4.1).
const VERSION_1: &[u8] = &[0x02, 1, 0];
/// The object identifier 1.2.840.113549.1.9.14 (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: &[u8] = &[
    0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e,
];
/// The object identifier 2.5.29.35.
const AUTHORITY_KEY_ID: &[u8] = &[0x06, 3, 0x55, 0x1d, 0x23];
