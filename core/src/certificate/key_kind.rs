//! The kind of a public key, read from its SubjectPublicKeyInfo.

use std::fmt;

use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

/// What kind of key a certificate or CSR carries.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyKind {
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Any other algorithm or curve, by its name or object identifier.
    Other(String),
    /// ECDSA on P-256.
    P256,
    /// ECDSA on P-384.
    P384,
    /// ECDSA on P-521.
    P521,
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Length of the modulus.
        bits: usize,
    },
}

impl KeyKind {
    /// Reads the kind; an algorithm that nobody here knows becomes [`KeyKind::Other`].
    pub(super) fn of(spki: &SubjectPublicKeyInfo<'_>) -> Self {
        let algorithm = &spki.algorithm.algorithm;
        match algorithm.as_bytes() {
            EC => match spki.algorithm.parameters.as_ref().map(|any| any.data) {
                Some(P256) => Self::P256,
                Some(P384) => Self::P384,
                Some(P521) => Self::P521,
                Some(P224) => Self::Other("EC P-224".to_owned()),
                Some(P192) => Self::Other("EC P-192".to_owned()),
                _ => Self::Other("EC on another curve".to_owned()),
            },
            ED25519 => Self::Ed25519,
            RSA => match spki.parsed() {
                Ok(PublicKey::RSA(key)) => Self::Rsa {
                    bits: bit_length(key.modulus),
                },
                _ => Self::Other("RSA with a broken key".to_owned()),
            },
            DSA => Self::Other("DSA".to_owned()),
            _ => Self::Other(algorithm.to_id_string()),
        }
    }

    /// `ec`, `rsa` or the kind's own name, as Consul's `PrivateKeyType` has it.
    #[must_use]
    pub fn consul_type(&self) -> &str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Other(name) => name,
            Self::P256 | Self::P384 | Self::P521 => "ec",
            Self::Rsa { .. } => "rsa",
        }
    }

    /// The size that Consul's `PrivateKeyBits` has; 0 if unknown.
    #[must_use]
    pub const fn bits(&self) -> usize {
        match self {
            Self::Ed25519 | Self::P256 => 256,
            Self::Other(_) => 0,
            Self::P384 => 384,
            Self::P521 => 521,
            Self::Rsa { bits } => *bits,
        }
    }

    /// Whether RSA's key usages apply: keyEncipherment belongs to RSA keys only.
    pub(super) const fn is_rsa(&self) -> bool {
        matches!(self, Self::Rsa { .. })
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Other(name) => f.write_str(name),
            Self::P256 => f.write_str("EC P-256"),
            Self::P384 => f.write_str("EC P-384"),
            Self::P521 => f.write_str("EC P-521"),
            Self::Rsa { bits } => write!(f, "RSA {bits}"),
        }
    }
}

fn bit_length(modulus: &[u8]) -> usize {
    let mut digits = modulus.iter().skip_while(|byte| **byte == 0);
    digits.next().map_or(0, |first| {
        let top = 8 - usize::try_from(first.leading_zeros()).unwrap_or(0);
        top + 8 * digits.count()
    })
}

// Object identifiers as DER holds them.
const DSA: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x38, 0x04, 0x01];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
const P192: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x01];
const P224: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x21];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const P384: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
const P521: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x23];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_modulus_is_measured_to_the_bit() {
        assert_eq!(bit_length(&[]), 0);
        assert_eq!(bit_length(&[0, 0]), 0);
        assert_eq!(bit_length(&[0, 0x80, 0]), 16);
        assert_eq!(bit_length(&[0x7f, 0xff]), 15);
        assert_eq!(bit_length(&[1]), 1);
    }
}
