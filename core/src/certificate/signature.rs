//! Verifying a signature with the algorithms that the caller brings.

use rustls_pki_types::SignatureVerificationAlgorithm;
use smallvec::SmallVec;
use x509_parser::certificate::X509Certificate;
use x509_parser::x509::{AlgorithmIdentifier, SubjectPublicKeyInfo};

use super::Violation;

/// The signature algorithms of a cryptographic library, such as rustls'
/// `CryptoProvider::signature_verification_algorithms.all`.
pub type Algorithms<'a> = &'a [&'a dyn SignatureVerificationAlgorithm];

/// How far to distrust whoever returned a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a signature is verified or it is not"
)]
pub enum SignatureCheck {
    /// Parse and check everything but the signature. For our own built-in provider: verifying
    /// costs as much as signing and would halve the rate.
    ParseOnly,
    /// Verify the signature too. For every provider that is not part of this program.
    Verify,
}

/// Verifies `signature` over `message`; `signed` names what was signed, for the error.
pub(super) fn verify(
    algorithms: Algorithms<'_>,
    key: &SubjectPublicKeyInfo<'_>,
    signature_algorithm: &AlgorithmIdentifier<'_>,
    message: &[u8],
    signature: &[u8],
    signed: impl FnOnce() -> String,
) -> Result<(), Violation> {
    let key_body = identifier_body(&key.algorithm);
    let signature_body = identifier_body(signature_algorithm);
    let mut tried = false;
    for algorithm in algorithms {
        let fits = algorithm.public_key_alg_id().as_ref() == key_body.as_slice()
            && algorithm.signature_alg_id().as_ref() == signature_body.as_slice();
        if !fits {
            continue;
        }
        tried = true;
        let public_key = &key.subject_public_key.data;
        if algorithm
            .verify_signature(public_key, message, signature)
            .is_ok()
        {
            return Ok(());
        }
    }
    if tried {
        Err(Violation::Signature { found: signed() })
    } else {
        Err(Violation::SignatureAlgorithm {
            found: signature_algorithm.algorithm.to_id_string(),
        })
    }
}

/// Verifies a certificate's signature with its issuer's key.
pub(super) fn verify_certificate(
    algorithms: Algorithms<'_>,
    issuer_key: &SubjectPublicKeyInfo<'_>,
    certificate: &X509Certificate<'_>,
) -> Result<(), Violation> {
    if certificate.signature != certificate.signature_algorithm {
        return Err(Violation::Malformed {
            what: "signature algorithm",
            allowed: "the same inside and outside the signed part",
        });
    }
    verify(
        algorithms,
        issuer_key,
        &certificate.signature_algorithm,
        certificate.tbs_certificate.as_ref(),
        &certificate.signature_value.data,
        || certificate.subject.to_string(),
    )
}

/// The content octets of an AlgorithmIdentifier, which is how algorithms name themselves.
fn identifier_body(identifier: &AlgorithmIdentifier<'_>) -> SmallVec<[u8; 64]> {
    let mut body = SmallVec::new();
    push_value(&mut body, 0x06, identifier.algorithm.as_bytes());
    if let Some(parameters) = identifier.parameters() {
        let constructed = if parameters.header.constructed() {
            0x20
        } else {
            0
        };
        let tag = u8::try_from(parameters.tag().0).unwrap_or(0);
        push_value(&mut body, tag | constructed, parameters.data);
    }
    body
}

/// Appends a DER value. One of 128 bytes or more belongs to no algorithm that we know, and
/// what is appended for it matches none.
fn push_value(body: &mut SmallVec<[u8; 64]>, tag: u8, content: &[u8]) {
    body.push(tag);
    body.push(u8::try_from(content.len()).unwrap_or(0xff));
    body.extend_from_slice(content);
}
