//! The built-in CA's private keys: made here, wiped when dropped, never printed.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use chancery_core::{KeyKind, Secret};
use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::{KeySpec, ProviderError};

/// Which keys this provider can make.
pub(super) const KINDS: [KeySpec; 6] = [
    KeySpec::EcP256,
    KeySpec::EcP384,
    KeySpec::EcP521,
    KeySpec::Ed25519,
    KeySpec::Rsa2048,
    KeySpec::Rsa4096,
];

/// A private key. rcgen keeps its PKCS #8 form beside it and does not wipe it by itself,
/// hence the wrapper.
pub(crate) struct CaKey {
    pair: Zeroizing<KeyPair>,
    kind: KeyKind,
}

impl CaKey {
    /// Makes a key. RSA takes up to seconds, so it never happens on a worker of the runtime.
    pub(crate) async fn generate(kind: KeySpec) -> Result<Self, ProviderError> {
        if !kind.is_rsa() {
            return generate_now(kind);
        }
        tokio::task::spawn_blocking(move || generate_now(kind))
            .await
            .map_err(|error| ProviderError::broken(format!("making a key was cut off: {error}")))?
    }

    /// Reads what [`pkcs8`](Self::pkcs8) gave.
    pub(crate) fn from_pkcs8(kind: KeyKind, pkcs8: &Secret) -> Result<Self, ProviderError> {
        let der = PrivatePkcs8KeyDer::from(pkcs8.expose());
        // The decoder's reason is left out: it is about bytes of a key.
        let pair = algorithm(&kind)
            .and_then(|algorithm| KeyPair::from_pkcs8_der_and_sign_algo(&der, algorithm).ok())
            .ok_or_else(|| ProviderError::broken(format!("the stored key is no {kind} key")))?;
        Ok(Self {
            pair: Zeroizing::new(pair),
            kind,
        })
    }

    /// The same key once more.
    pub(super) fn copy(&self) -> Result<Self, ProviderError> {
        Self::from_pkcs8(self.kind.clone(), &self.pkcs8())
    }

    /// Reads somebody's own key in any of the three forms, if it is of a kind that can be used.
    pub(crate) fn import(der: &PrivateKeyDer<'_>) -> Option<Self> {
        let (kind, pkcs8) = to_pkcs8(der)?;
        Self::from_pkcs8(kind, &pkcs8).ok()
    }

    /// The private key in PKCS #8.
    pub(crate) fn pkcs8(&self) -> Secret {
        Secret::new(self.pair.serialized_der().to_vec())
    }

    /// Algorithm and size.
    pub(crate) const fn kind(&self) -> &KeyKind {
        &self.kind
    }

    /// The public key as a SubjectPublicKeyInfo in DER.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// How it signs.
    pub(super) fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.pair.algorithm()
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.pair.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.pair.algorithm()
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.pair.sign(message)
    }
}

/// The kind of a key and its PKCS #8 form, which is the only one that is kept.
fn to_pkcs8(der: &PrivateKeyDer<'_>) -> Option<(KeyKind, Secret)> {
    let secret = der.secret_der();
    for (kind, curve) in [
        (KeyKind::P256, &signature::ECDSA_P256_SHA256_ASN1_SIGNING),
        (KeyKind::P384, &signature::ECDSA_P384_SHA384_ASN1_SIGNING),
        (KeyKind::P521, &signature::ECDSA_P521_SHA512_ASN1_SIGNING),
    ] {
        if let Ok(key) = EcdsaKeyPair::from_private_key_der(curve, secret) {
            let pkcs8 = key.to_pkcs8v1().ok()?;
            return Some((kind, Secret::new(pkcs8.as_ref().to_vec())));
        }
    }
    if let Ok(key) = Ed25519KeyPair::from_pkcs8_maybe_unchecked(secret) {
        let pkcs8 = key.to_pkcs8v1().ok()?;
        return Some((KeyKind::Ed25519, Secret::new(pkcs8.as_ref().to_vec())));
    }
    let key = RsaKeyPair::from_pkcs8(secret)
        .or_else(|_| RsaKeyPair::from_der(secret))
        .ok()?;
    let bits = key.public_modulus_len().checked_mul(8)?;
    let pkcs8: Pkcs8V1Der<'_> = key.as_der().ok()?;
    Some((KeyKind::Rsa { bits }, Secret::new(pkcs8.as_ref().to_vec())))
}

pub(super) fn generate_now(kind: KeySpec) -> Result<CaKey, ProviderError> {
    let pair = key_pair(kind).map_err(|error| {
        ProviderError::broken(format!("cannot make a private key, {kind}: {error}"))
    })?;
    Ok(CaKey {
        pair: Zeroizing::new(pair),
        kind: kind.into(),
    })
}

/// A new key. RSA takes its time.
pub(crate) fn key_pair(kind: KeySpec) -> Result<KeyPair, rcgen::Error> {
    match kind {
        KeySpec::Rsa2048 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeySpec::Rsa4096 => KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, RsaKeySize::_4096),
        KeySpec::EcP256 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
        KeySpec::EcP384 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
        KeySpec::EcP521 => KeyPair::generate_for(&rcgen::PKCS_ECDSA_P521_SHA512),
        KeySpec::Ed25519 => KeyPair::generate_for(&rcgen::PKCS_ED25519),
    }
}

/// Signature algorithm of each kind: the hash is as strong as the curve (Consul signs with
/// SHA-256 on every curve).
fn algorithm(kind: &KeyKind) -> Option<&'static SignatureAlgorithm> {
    Some(match kind {
        KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeyKind::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
        KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
        KeyKind::Rsa { .. } => &rcgen::PKCS_RSA_SHA256,
        _ => return None,
    })
}

/// The name of a kind in the state. Once released, a name never changes.
pub(crate) fn kind_name(kind: &KeyKind) -> String {
    match kind {
        KeyKind::P256 => "ec-p256".to_owned(),
        KeyKind::P384 => "ec-p384".to_owned(),
        KeyKind::P521 => "ec-p521".to_owned(),
        KeyKind::Rsa { bits } => format!("rsa-{bits}"),
        other => other.consul_type().to_owned(),
    }
}

/// The kind of that name.
pub(crate) fn kind_named(name: &str) -> Option<KeyKind> {
    Some(match name {
        "ec-p256" => KeyKind::P256,
        "ec-p384" => KeyKind::P384,
        "ec-p521" => KeyKind::P521,
        "ed25519" => KeyKind::Ed25519,
        _ => KeyKind::Rsa {
            bits: name.strip_prefix("rsa-")?.parse().ok()?,
        },
    })
}
