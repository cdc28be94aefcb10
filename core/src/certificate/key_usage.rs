//! The key usage bits of a certificate (RFC 5280 §4.2.1.3).

use std::fmt;
use std::ops::BitOr;

/// A set of key usages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyUsages(u16);

impl KeyUsages {
    /// No usage.
    pub const NONE: Self = Self(0);
    /// `digitalSignature`.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// `contentCommitment`, formerly `nonRepudiation`.
    pub const CONTENT_COMMITMENT: Self = Self(1 << 1);
    /// `keyEncipherment`.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// `dataEncipherment`.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// `keyAgreement`.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// `keyCertSign`.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// `cRLSign`.
    pub const CRL_SIGN: Self = Self(1 << 6);

    /// The set with the bits as they stand in the extension, the first bit lowest.
    pub(super) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether every usage of `other` is in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl BitOr for KeyUsages {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.union(other)
    }
}

impl fmt::Display for KeyUsages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("none");
        }
        let mut separator = "";
        for bit in 0..16_u8 {
            if self.0 & (1 << bit) != 0 {
                let name = NAMES.get(usize::from(bit)).unwrap_or(&"unknown bit");
                write!(f, "{separator}{name}")?;
                separator = ", ";
            }
        }
        Ok(())
    }
}

const NAMES: [&str; 9] = [
    "digitalSignature",
    "contentCommitment",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_prints_as_the_standard_names_it() {
        assert_eq!(KeyUsages::NONE.to_string(), "none");
        let set = KeyUsages::CRL_SIGN | KeyUsages::DIGITAL_SIGNATURE;
        assert_eq!(set.to_string(), "digitalSignature, cRLSign");
        assert!(set.contains(KeyUsages::CRL_SIGN));
        assert!(!set.contains(KeyUsages::CRL_SIGN | KeyUsages::KEY_CERT_SIGN));
    }
}
