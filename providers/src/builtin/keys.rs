//! The built-in CA's private keys: made here, wiped when dropped, never printed.

use chancery_core::Secret;
use rcgen::{KeyPair, PublicKeyData, RsaKeySize, SignatureAlgorithm, SigningKey};
use rustls_pki_types::PrivatePkcs8KeyDer;
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
pub(super) struct CaKey {
    pair: Zeroizing<KeyPair>,
    kind: KeySpec,
}

impl CaKey {
    /// Makes a key. RSA takes up to seconds, so it never happens on a worker of the runtime.
    pub(super) async fn generate(kind: KeySpec) -> Result<Self, ProviderError> {
        if !kind.is_rsa() {
            return generate_now(kind);
        }
        tokio::task::spawn_blocking(move || generate_now(kind))
            .await
            .map_err(|error| ProviderError::broken(format!("making a key was cut off: {error}")))?
    }

    /// Reads what [`pkcs8`](Self::pkcs8) gave.
    pub(super) fn from_pkcs8(kind: KeySpec, pkcs8: &Secret) -> Result<Self, ProviderError> {
        let der = PrivatePkcs8KeyDer::from(pkcs8.expose());
        // The decoder's reason is left out: it is about bytes of a key.
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(&der, algorithm(kind))
            .ok()
            .ok_or_else(|| ProviderError::broken(format!("the stored key is no {kind} key")))?;
        Ok(Self {
            pair: Zeroizing::new(pair),
            kind,
        })
    }

    /// The private key in PKCS #8.
    pub(super) fn pkcs8(&self) -> Secret {
        Secret::new(self.pair.serialized_der().to_vec())
    }

    /// Algorithm and size.
    pub(super) const fn kind(&self) -> KeySpec {
        self.kind
    }
}

impl PublicKeyData for CaKey {
    fn der_bytes(&self) -> &[u8] {
        self.pair.der_bytes()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        algorithm(self.kind)
    }
}

impl SigningKey for CaKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.pair.sign(message)
    }
}

pub(super) fn generate_now(kind: KeySpec) -> Result<CaKey, ProviderError> {
    let pair = key_pair(kind).map_err(|error| {
        ProviderError::broken(format!("cannot make a private key, {kind}: {error}"))
    })?;
    Ok(CaKey {
        pair: Zeroizing::new(pair),
        kind,
    })
}

/// A new key. RSA takes its time.
pub(crate) fn key_pair(kind: KeySpec) -> Result<KeyPair, rcgen::Error> {
    match kind {
        KeySpec::Rsa2048 => KeyPair::generate_rsa_for(algorithm(kind), RsaKeySize::_2048),
        KeySpec::Rsa4096 => KeyPair::generate_rsa_for(algorithm(kind), RsaKeySize::_4096),
        KeySpec::EcP256 | KeySpec::EcP384 | KeySpec::EcP521 | KeySpec::Ed25519 => {
            KeyPair::generate_for(algorithm(kind))
        }
    }
}

/// Signature algorithm of each kind: the hash is as strong as the curve (Consul signs with
/// SHA-256 on every curve).
fn algorithm(kind: KeySpec) -> &'static SignatureAlgorithm {
    match kind {
        KeySpec::EcP256 => &rcgen::PKCS_ECDSA_P256_SHA256,
        KeySpec::EcP384 => &rcgen::PKCS_ECDSA_P384_SHA384,
        KeySpec::EcP521 => &rcgen::PKCS_ECDSA_P521_SHA512,
        KeySpec::Ed25519 => &rcgen::PKCS_ED25519,
        KeySpec::Rsa2048 | KeySpec::Rsa4096 => &rcgen::PKCS_RSA_SHA256,
    }
}

/// The name of a kind in the state. Once released, a name never changes.
pub(super) const fn kind_name(kind: KeySpec) -> &'static str {
    match kind {
        KeySpec::EcP256 => "ec-p256",
        KeySpec::EcP384 => "ec-p384",
        KeySpec::EcP521 => "ec-p521",
        KeySpec::Ed25519 => "ed25519",
        KeySpec::Rsa2048 => "rsa-2048",
        KeySpec::Rsa4096 => "rsa-4096",
    }
}
