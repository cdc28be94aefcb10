//! Serial numbers and key identifiers: bytes that print as Consul prints them.

use std::fmt;
use std::sync::Arc;

/// The identifier of a key, as it stands in a certificate's SKI or AKI extension.
///
/// Prints as lower-case hexadecimal with colons. Consul's built-in authority uses 32 bytes,
/// Vault 20.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyId(Arc<[u8]>);

/// A certificate's serial number: 1 to 20 octets, positive (RFC 5280 §4.1.2.2).
///
/// Prints as lower-case hexadecimal with colons, without leading zero octets.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Serial(Arc<[u8]>);

impl KeyId {
    /// Wraps an identifier's bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl Serial {
    /// Takes an INTEGER's content octets if they are a serial number that RFC 5280 allows.
    pub(super) fn from_der_content(octets: &[u8]) -> Option<Self> {
        let first = octets.first()?;
        let positive = *first < 0x80 && octets.iter().any(|byte| *byte != 0);
        let magnitude = if *first == 0 {
            octets.get(1..)?
        } else {
            octets
        };
        (positive && octets.len() <= MAX_SERIAL_OCTETS).then(|| Self(magnitude.into()))
    }

    /// The number's octets, most significant first, without a leading zero.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number, if it fits: Consul's clients read a root's serial as a JSON number.
    #[must_use]
    pub fn to_u64(&self) -> Option<u64> {
        if self.0.len() > 8 {
            return None;
        }
        Some(
            self.0
                .iter()
                .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        )
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_colon_hex(f, &self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_colon_hex(f, &self.0)
    }
}

impl fmt::Debug for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Serial({self})")
    }
}

/// Bytes as lower-case hexadecimal with colons.
pub(super) fn colon_hex(bytes: &[u8]) -> String {
    KeyId::from_bytes(bytes).to_string()
}

fn write_colon_hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for (position, byte) in bytes.iter().enumerate() {
        if position > 0 {
            f.write_str(":")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

/// The most octets a serial number's encoding has.
pub(super) const MAX_SERIAL_OCTETS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serials_have_1_to_20_octets_and_are_positive() {
        for (octets, shown) in [
            (&[7][..], Some("07")),
            (&[0, 0x80], Some("80")),
            (&[0x7f; 20], Some(&*["7f"; 20].join(":"))),
            (&[0x7f; 21], None),
            (&[], None),
            (&[0], None),
            (&[0, 0], None),
            (&[0x80], None),
        ] {
            let serial = Serial::from_der_content(octets).map(|serial| serial.to_string());
            assert_eq!(serial.as_deref(), shown, "{octets:?}");
        }
    }

    #[test]
    fn only_small_serials_are_numbers() {
        let number = |octets| Serial::from_der_content(octets).unwrap().to_u64();
        assert_eq!(number(&[1, 2]), Some(258));
        assert_eq!(number(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0]), Some(0xff << 56));
        assert_eq!(number(&[1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
