//! A private key that the host holds for a plugin, which only ever sees what it signs.

use chancery_core::{KeyKind, Secret};
use rcgen::SigningKey as _;

use crate::builtin::import::read_key;
use crate::builtin::keys::{CaKey, kind_name, kind_named};
use crate::{KeySpec, ProviderError};

/// A key, with what a plugin asks of it ready to be handed out. Wiped when dropped.
pub(crate) struct HeldKey {
    key: CaKey,
    spec: KeySpec,
    public_key: Vec<u8>,
}

impl HeldKey {
    /// Makes a key. RSA takes up to seconds, for which another thread is taken.
    pub(crate) async fn generate(spec: KeySpec) -> Result<Self, ProviderError> {
        Ok(Self::holding(CaKey::generate(spec).await?, spec))
    }

    /// Reads the operator's own key from the PEM in `option`.
    pub(crate) fn import(option: &str, pem: &Secret) -> Result<Self, ProviderError> {
        let key = read_key(option, pem)?;
        let spec = spec_of(key.kind()).ok_or_else(|| {
            ProviderError::misconfigured(format!(
                "{option} is {}, a plugin can sign with EC P-256, P-384 and P-521, Ed25519, and \
                 RSA of 2048 or 4096 bits",
                key.kind()
            ))
        })?;
        Ok(Self::holding(key, spec))
    }

    fn holding(key: CaKey, spec: KeySpec) -> Self {
        Self {
            public_key: key.public_key(),
            key,
            spec,
        }
    }

    /// Reads what [`stored`](Self::stored) gave.
    pub(super) fn restore(kind: &str, pkcs8: &Secret) -> Result<Self, ProviderError> {
        let known = kind_named(kind).and_then(|kind| Some((spec_of(&kind)?, kind)));
        let (spec, kind) = known.ok_or_else(|| {
            ProviderError::broken(format!(
                "the state holds a key of the unknown kind {kind:?}"
            ))
        })?;
        Ok(Self::holding(CaKey::from_pkcs8(kind, pkcs8)?, spec))
    }

    /// Name of the kind, and the private key in PKCS #8.
    pub(super) fn stored(&self) -> (String, Secret) {
        (kind_name(self.key.kind()), self.key.pkcs8())
    }

    /// Algorithm and size.
    pub(crate) const fn spec(&self) -> KeySpec {
        self.spec
    }

    /// The public part, a SubjectPublicKeyInfo in DER.
    pub(crate) fn public_key_der(&self) -> &[u8] {
        &self.public_key
    }

    /// The AlgorithmIdentifier of what [`sign`](Self::sign) makes, in DER.
    pub(crate) const fn signature_algorithm_der(&self) -> &'static [u8] {
        match self.spec {
            KeySpec::EcP256 => ECDSA_WITH_SHA256,
            KeySpec::EcP384 => ECDSA_WITH_SHA384,
            KeySpec::EcP521 => ECDSA_WITH_SHA512,
            KeySpec::Ed25519 => ED25519,
            KeySpec::Rsa2048 | KeySpec::Rsa4096 => SHA256_WITH_RSA,
        }
    }

    /// Signs `message`, which is hashed here: the octets of a certificate's signature.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ProviderError> {
        self.key
            .sign(message)
            .map_err(|error| ProviderError::broken(format!("cannot sign by the held key: {error}")))
    }
}

impl std::fmt::Debug for HeldKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HeldKey({}, …)", self.spec)
    }
}

const fn spec_of(kind: &KeyKind) -> Option<KeySpec> {
    Some(match kind {
        KeyKind::P256 => KeySpec::EcP256,
        KeyKind::P384 => KeySpec::EcP384,
        KeyKind::P521 => KeySpec::EcP521,
        KeyKind::Ed25519 => KeySpec::Ed25519,
        KeyKind::Rsa { bits: 2048 } => KeySpec::Rsa2048,
        KeyKind::Rsa { bits: 4096 } => KeySpec::Rsa4096,
        _ => return None,
    })
}

/// RFC 5758 §3.2: no parameters.
const ECDSA_WITH_SHA256: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02,
];
const ECDSA_WITH_SHA384: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03,
];
const ECDSA_WITH_SHA512: &[u8] = &[
    0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x04,
];
/// RFC 8410 §3.
const ED25519: &[u8] = &[0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70];
/// RFC 4055 §5: the parameters are NULL.
const SHA256_WITH_RSA: &[u8] = &[
    0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00,
];

#[cfg(test)]
mod tests {
    use rustls_pki_types::SignatureVerificationAlgorithm;

    use super::*;

    /// Verifies by what the key says of itself, as whoever reads a certificate would.
    fn assert_verifies(key: &HeldKey, message: &[u8], signature: &[u8]) {
        let (_, spki) = x509_parser::x509::SubjectPublicKeyInfo::from_der(key.public_key_der())
            .expect("a public key");
        let identifier = |der: &'static [u8]| der.get(2..).unwrap().to_vec();
        let wanted = identifier(key.signature_algorithm_der());
        let all = rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .all;
        let verifies = |algorithm: &&&dyn SignatureVerificationAlgorithm| {
            algorithm.signature_alg_id().as_ref() == wanted.as_slice()
                && algorithm
                    .verify_signature(spki.subject_public_key.data.as_ref(), message, signature)
                    .is_ok()
        };
        assert!(all.iter().any(|one| verifies(&one)), "{}", key.spec());
    }

    use x509_parser::prelude::FromDer as _;

    #[tokio::test]
    async fn keys_of_every_kind_sign_what_verifies_by_what_they_say() {
        for spec in [
            KeySpec::EcP256,
            KeySpec::EcP384,
            KeySpec::EcP521,
            KeySpec::Ed25519,
            KeySpec::Rsa2048,
            KeySpec::Rsa4096,
        ] {
            let key = HeldKey::generate(spec).await.unwrap();
            assert_eq!(key.spec(), spec);
            let signature = key.sign(b"to be signed").unwrap();
            assert_verifies(&key, b"to be signed", &signature);
            let (kind, pkcs8) = key.stored();
            let again = HeldKey::restore(&kind, &pkcs8).unwrap();
            assert_eq!(again.spec(), spec);
            assert_eq!(again.public_key_der(), key.public_key_der());
        }
    }

    #[tokio::test]
    async fn an_operators_key_is_read_from_pem_and_named_by_its_option_when_it_is_bad() {
        let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
        let pem = Secret::new(made.serialize_pem().into_bytes());
        let key = HeldKey::import("signing_key", &pem).unwrap();
        assert_eq!(key.spec(), KeySpec::EcP384);
        let bad = Secret::new(b"canary".to_vec());
        let says = HeldKey::import("signing_key", &bad)
            .unwrap_err()
            .to_string();
        assert!(
            says.starts_with("signing_key holds no private key"),
            "{says}"
        );
        assert!(!says.contains("canary"), "{says}");
    }

    #[test]
    fn a_stored_key_of_another_kind_than_it_says_is_refused() {
        let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let pkcs8 = Secret::new(made.serialize_der());
        for kind in ["ec-p256", "rsa-3072", "dsa"] {
            HeldKey::restore(kind, &pkcs8).unwrap_err();
        }
        HeldKey::restore("ed25519", &pkcs8).unwrap();
    }

    #[tokio::test]
    async fn nothing_of_a_key_prints() {
        let key = HeldKey::generate(KeySpec::Ed25519).await.unwrap();
        assert_eq!(format!("{key:?}"), "HeldKey(Ed25519, …)");
    }
}
