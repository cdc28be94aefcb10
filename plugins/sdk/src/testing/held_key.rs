//! Keys for tests.
#![expect(
    clippy::expect_used,
    reason = "what cannot fail here can only be a mistake of the test host"
)]

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING,
    EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RsaKeyPair,
};

use crate::KeyType;

/// A private key.
#[derive(Debug)]
pub(super) struct HeldKey {
    kind: KeyType,
    pair: Pair,
}

#[derive(Debug)]
enum Pair {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

/// The elliptic curves.
const CURVES: [(KeyType, &EcdsaSigningAlgorithm); 3] = [
    (KeyType::EcP256, &ECDSA_P256_SHA256_ASN1_SIGNING),
    (KeyType::EcP384, &ECDSA_P384_SHA384_ASN1_SIGNING),
    (KeyType::EcP521, &ECDSA_P521_SHA512_ASN1_SIGNING),
];

impl HeldKey {
    pub(super) fn generate(kind: KeyType) -> Self {
        let ecdsa = |algorithm| EcdsaKeyPair::generate(algorithm).map(Pair::Ecdsa);
        let pair = match kind {
            KeyType::EcP256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            KeyType::EcP384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            KeyType::EcP521 => ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING),
            KeyType::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            KeyType::Rsa2048 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            KeyType::Rsa4096 => RsaKeyPair::generate(KeySize::Rsa4096).map(Pair::Rsa),
        };
        Self {
            kind,
            pair: pair.expect("a key can be made"),
        }
    }

    /// Reads PKCS #8, PKCS #1 or SEC 1.
    pub(super) fn import(der: &[u8]) -> Option<Self> {
        for (kind, algorithm) in CURVES {
            if let Ok(pair) = EcdsaKeyPair::from_private_key_der(algorithm, der) {
                let pair = Pair::Ecdsa(pair);
                return Some(Self { kind, pair });
            }
        }
        if let Ok(pair) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            return Some(Self {
                kind: KeyType::Ed25519,
                pair: Pair::Ed25519(pair),
            });
        }
        let pair = RsaKeyPair::from_pkcs8(der)
            .or_else(|_| RsaKeyPair::from_der(der))
            .ok()?;
        let kind = match pair.public_modulus_len() {
            256 => KeyType::Rsa2048,
            512 => KeyType::Rsa4096,
            _ => return None,
        };
        Some(Self {
            kind,
            pair: Pair::Rsa(pair),
        })
    }

    pub(super) const fn kind(&self) -> KeyType {
        self.kind
    }

    pub(super) fn public_key(&self) -> Vec<u8> {
        let der: Result<PublicKeyX509Der<'_>, _> = match &self.pair {
            Pair::Ecdsa(pair) => pair.public_key().as_der(),
            Pair::Ed25519(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        der.expect("a public key can be written").as_ref().to_vec()
    }

    pub(super) fn signature_algorithm(&self) -> Vec<u8> {
        match self.kind {
            KeyType::EcP256 => vec![0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2],
            KeyType::EcP384 => vec![0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3],
            KeyType::EcP521 => vec![0x30, 0x0a, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4],
            KeyType::Ed25519 => vec![0x30, 5, 6, 3, 0x2b, 0x65, 0x70],
            KeyType::Rsa2048 | KeyType::Rsa4096 => vec![
                0x30, 0x0d, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b, 5, 0,
            ],
        }
    }

    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ecdsa(pair) => pair
                .sign(&random, message)
                .expect("a key signs")
                .as_ref()
                .to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("a key signs");
                signature
            }
        }
    }
}
