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

    /// Reads big-endian bytes, dropping leading zeros: a serial number to be given out.
    ///
    /// `None` if nothing but zeros is given, or if the number would take more than 20 octets
    /// in DER (where a leading bit of 1 costs an octet more).
    #[must_use]
    pub fn from_be_bytes(bytes: &[u8]) -> Option<Self> {
        let start = bytes.iter().position(|byte| *byte != 0)?;
        let magnitude = bytes.get(start..)?;
        let sign = usize::from(magnitude.first().is_some_and(|byte| byte & 0x80 != 0));
        (magnitude.len() + sign <= MAX_SERIAL_OCTETS).then(|| Self(magnitude.into()))
    }

    /// The number's octets, most significant first, without a leading zero.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The number's lowest 64 bits: what Consul shows as a root's `SerialNumber`, which for the
    /// 20 octets of a root from Vault is not all of it.
    #[must_use]
    pub fn low_u64(&self) -> u64 {
        let octets = self.0.iter();
        octets.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
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
    fn serials_to_be_given_take_one_to_twenty_octets() {
        assert_eq!(Serial::from_be_bytes(&[]), None);
        assert_eq!(Serial::from_be_bytes(&[0, 0]), None);
        assert_eq!(Serial::from_be_bytes(&[0, 7]).unwrap().as_bytes(), [7]);
        assert!(Serial::from_be_bytes(&[0x7f; 20]).is_some());
        assert_eq!(Serial::from_be_bytes(&[0x80; 20]), None);
        assert!(Serial::from_be_bytes(&[0x80; 19]).is_some());
        assert_eq!(Serial::from_be_bytes(&[1; 21]), None);
    }

    #[test]
    fn a_long_serial_shows_its_lowest_64_bits() {
        let number = |octets| Serial::from_der_content(octets).unwrap().low_u64();
        assert_eq!(number(&[1, 2]), 258);
        assert_eq!(number(&[0, 0xff, 0, 0, 0, 0, 0, 0, 0]), 0xff << 56);
        assert_eq!(number(&[9, 0, 0, 0, 0, 0, 0, 0, 1]), 1);
    }
}
