//! The kinds of keys, and a key that the host holds.

use crate::host;

/// The kinds of keys that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyType {
    /// ECDSA on NIST P-256, signing with SHA-256. The usual one.
    EcP256,
    /// ECDSA on NIST P-384, signing with SHA-384.
    EcP384,
    /// ECDSA on NIST P-521, signing with SHA-512.
    EcP521,
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// RSA, 2048 bits, signing by PKCS #1 v1.5 with SHA-256.
    Rsa2048,
    /// RSA, 4096 bits, signing by PKCS #1 v1.5 with SHA-256.
    Rsa4096,
}

impl KeyType {
    /// All of them, the usual one first: what a plugin can make that has the host make its keys.
    pub const ALL: [Self; 6] = [
        Self::EcP256,
        Self::EcP384,
        Self::EcP521,
        Self::Ed25519,
        Self::Rsa2048,
        Self::Rsa4096,
    ];
}

/// A private key that the host holds: it signs with it, and never shows it.
#[derive(Debug)]
pub struct Key(pub(crate) host::Key);

impl Key {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> KeyType {
        self.0.kind()
    }

    /// The public part, as a SubjectPublicKeyInfo (RFC 5280 §4.1.2.7), DER.
    #[must_use]
    pub fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    /// The AlgorithmIdentifier (RFC 5280 §4.1.1.2) of what [`sign`](Self::sign) makes, DER.
    #[must_use]
    pub fn signature_algorithm(&self) -> Vec<u8> {
        self.0.signature_algorithm()
    }

    /// Signs `message` (not its hash). The result is what belongs into the signature of a
    /// certificate or CSR, without the bit string around it.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message)
    }
}
