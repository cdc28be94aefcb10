//! What a host asks, for tests to ask it.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
    RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};

use super::held_key::HeldKey;
use super::imports;
use crate::certificate;
use crate::{
    Certificate, CleanUpRequest, CleanUpScope, CrossSignRequest, ExtendedKeyUsage,
    IntermediateRequest, IntermediateTemplate, Key, KeyType, KeyUsages, LeafRequest, LeafTemplate,
    RootRequest, RootTemplate, SignIntermediateRequest, Timestamp, Validity,
};

/// The time of day in tests, unless a test says another: 2027-01-01T00:00:00Z.
pub const NOW: Timestamp = 1_798_761_600;
/// The trust domain in tests.
pub const TRUST_DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const DAY: i64 = 86_400;

/// Somebody who wants a certificate: a key of theirs, and a CSR signed by it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Subject {
    /// The request (PKCS #10, DER).
    pub csr: Vec<u8>,
    /// The key of it, a SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
}

impl Subject {
    /// With a new key of that kind.
    ///
    /// # Panics
    /// If `uri` is not ASCII.
    #[must_use]
    #[expect(clippy::expect_used, reason = "a test that cannot go on")]
    pub fn new(kind: KeyType, uri: &str) -> Self {
        let key = Key(imports::Key::new(HeldKey::generate(kind)));
        Self {
            csr: certificate::csr(&key, "test", uri).expect("the URI is ASCII"),
            public_key: key.public_key(),
        }
    }
}

/// A wish for a root of ten years with a P-256 key. `operation` tells wishes apart.
#[must_use]
pub fn root_request(operation: u8) -> RootRequest {
    RootRequest {
        operation: operation_id(operation),
        renew: false,
        template: RootTemplate {
            common_name: format!("pri-{operation:08x}.test.ca.11111111.consul"),
            uri: format!("spiffe://{TRUST_DOMAIN}"),
            serial: vec![operation, 1, 2, 3, 4, 5, 6],
            key: KeyType::EcP256,
            validity: life(3650),
        },
    }
}

/// A wish for an intermediate of a year with a P-256 key.
#[must_use]
pub fn intermediate_request(operation: u8) -> IntermediateRequest {
    IntermediateRequest {
        operation: operation_id(operation),
        renew: false,
        key: KeyType::EcP256,
        template: intermediate_template(operation),
    }
}

/// A leaf of three days for a service, with a new P-256 key.
#[must_use]
pub fn leaf_request(service: &str) -> LeafRequest {
    let uri = format!("spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{service}");
    let subject = Subject::new(KeyType::EcP256, &uri);
    LeafRequest {
        csr: subject.csr,
        public_key: subject.public_key,
        template: LeafTemplate {
            common_name: format!("{service}.svc.default.11111111.consul"),
            uri,
            serial: vec![0x41; 16],
            validity: life(3),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

/// An intermediate of a year for another CA's new P-256 key.
#[must_use]
pub fn sign_intermediate_request() -> SignIntermediateRequest {
    let subject = Subject::new(KeyType::EcP256, &format!("spiffe://{TRUST_DOMAIN}"));
    SignIntermediateRequest {
        csr: subject.csr,
        public_key: subject.public_key,
        template: intermediate_template(9),
    }
}

/// The wish that `root` be signed for a week.
#[must_use]
pub fn cross_sign_request(root: &Certificate) -> CrossSignRequest {
    CrossSignRequest {
        root: root.clone(),
        serial: vec![0x61; 16],
        validity: life(7),
    }
}

/// That so much is over, and `keep` is still needed.
#[must_use]
pub const fn clean_up_request(scope: CleanUpScope, keep: Vec<Certificate>) -> CleanUpRequest {
    CleanUpRequest { scope, keep }
}

/// That `certificate` names `issuer` as its issuer, lives within its life, and was signed by it.
///
/// # Errors
/// What is wrong, in words.
pub fn verify(certificate: &Certificate, issuer: &Certificate) -> Result<(), String> {
    let (facts, above) = (
        certificate.read().map_err(|error| error.to_string())?,
        issuer.read().map_err(|error| error.to_string())?,
    );
    if facts.issuer != above.subject {
        return Err("it names another issuer".to_owned());
    }
    if facts.authority_key_id != above.subject_key_id {
        return Err("its authority key identifier is not the issuer's key identifier".to_owned());
    }
    let (life, whole) = (facts.validity, above.validity);
    if life.not_before < whole.not_before || life.not_after > whole.not_after {
        return Err("its life is not within the issuer's".to_owned());
    }
    let (signed, signature) =
        certificate::signed_parts(certificate.der()).ok_or("it has no signature")?;
    let algorithms: [&'static dyn VerificationAlgorithm; 5] = [
        &ECDSA_P256_SHA256_ASN1,
        &ECDSA_P384_SHA384_ASN1,
        &ECDSA_P521_SHA512_ASN1,
        &ED25519,
        &RSA_PKCS1_2048_8192_SHA256,
    ];
    let verified = algorithms.into_iter().any(|algorithm| {
        UnparsedPublicKey::new(algorithm, above.public_key)
            .verify(signed, signature)
            .is_ok()
    });
    if verified {
        return Ok(());
    }
    Err("its signature is not by the issuer's key".to_owned())
}

fn operation_id(operation: u8) -> String {
    format!("{operation:02x}").repeat(16)
}

fn intermediate_template(operation: u8) -> IntermediateTemplate {
    IntermediateTemplate {
        common_name: format!("sec-{operation:08x}.test.ca.11111111.consul"),
        uri: format!("spiffe://{TRUST_DOMAIN}"),
        serial: vec![operation, 0x51, 0x51],
        validity: life(365),
        path_length: 0,
    }
}

/// From a minute ago.
const fn life(days: i64) -> Validity {
    Validity {
        not_before: NOW - 60,
        not_after: NOW + days * DAY,
    }
}
