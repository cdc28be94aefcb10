//! The kinds of keys that can be ordered.

use std::fmt;

use chancery_core::KeyKind;

/// A key to be made: algorithm and size, as far as anybody here can be asked for them.
///
/// What a certificate turns out to have is a [`KeyKind`], which knows more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeySpec {
    /// ECDSA on NIST P-256, the default.
    EcP256,
    /// ECDSA on NIST P-384.
    EcP384,
    /// ECDSA on NIST P-521.
    EcP521,
    /// Ed25519 (RFC 8410). No Consul option selects it.
    Ed25519,
    /// RSA with a modulus of 2048 bits.
    Rsa2048,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

impl KeySpec {
    /// Whether keys of this kind are RSA keys.
    #[must_use]
    pub const fn is_rsa(self) -> bool {
        matches!(self, Self::Rsa2048 | Self::Rsa4096)
    }
}

impl From<KeySpec> for KeyKind {
    fn from(key: KeySpec) -> Self {
        match key {
            KeySpec::EcP256 => Self::P256,
            KeySpec::EcP384 => Self::P384,
            KeySpec::EcP521 => Self::P521,
            KeySpec::Ed25519 => Self::Ed25519,
            KeySpec::Rsa2048 => Self::Rsa { bits: 2048 },
            KeySpec::Rsa4096 => Self::Rsa { bits: 4096 },
        }
    }
}

impl fmt::Display for KeySpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        KeyKind::from(*self).fmt(f)
    }
}
