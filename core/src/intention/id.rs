//! The identifier of an intention: 16 bytes, shown as a lower-case UUID.

use std::fmt;

use crate::serde_as_text::serde_as_text;
use crate::uuid::Uuid;

const TEXT_LENGTH: usize = 36;

/// The identifier of one intention.
///
/// Kept as bytes, so two spellings of one identifier are equal (Consul 1.8 stores whatever
/// spelling an update used and then takes it for another record).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IntentionId([u8; 16]);

impl IntentionId {
    /// An identifier from the caller's random bytes, used as they are (as Consul does: the
    /// version and variant bits of RFC 9562 are not set).
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Reads an identifier as Consul's index does: 36 bytes long, all dashes dropped wherever
    /// they stand, the rest 32 hex digits of either case.
    ///
    /// # Errors
    /// What is wrong with `text`, in Consul's words.
    pub fn parse(text: &str) -> Result<Self, IntentionIdError> {
        if text.len() != TEXT_LENGTH {
            return Err(IntentionIdError::Length);
        }
        let mut bytes = [0_u8; 16];
        let mut digits = 0_usize;
        for byte in text.bytes().filter(|byte| *byte != b'-') {
            let Some(value) = char::from(byte).to_digit(16) else {
                return Err(IntentionIdError::Digit(byte));
            };
            // `value` is below 16; digits past the 32nd are only counted.
            if let Some(slot) = bytes.get_mut(digits / 2) {
                *slot = (*slot << 4) | u8::try_from(value).unwrap_or(0);
            }
            digits += 1;
        }
        if digits == 32 {
            Ok(Self(bytes))
        } else {
            Err(IntentionIdError::Digits(digits))
        }
    }
}

/// Lower case, dashes after 8, 12, 16 and 20 digits.
impl fmt::Display for IntentionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid(self.0).fmt(f)
    }
}

serde_as_text!(IntentionId);

/// Why a text is no identifier of an intention; the texts are Consul's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntentionIdError {
    /// A byte that is neither a dash nor a hex digit.
    #[error("Invalid UUID: encoding/hex: invalid byte: {}", GoByte(*.0))]
    Digit(u8),
    /// The right length, but not 32 digits beside the dashes.
    #[error("Invalid UUID: {0} hex digits, need 32")]
    Digits(usize),
    /// Not 36 bytes long.
    #[error("UUID must be 36 characters")]
    Length,
}

/// Go's `%#U` of a byte: `U+007A 'z'`, without the quoted part if it does not print.
struct GoByte(u8);

impl fmt::Display for GoByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "U+{:04X}", self.0)?;
        match self.0 {
            0x20..=0x7e | 0xa1..=0xac | 0xae..=0xff => write!(f, " '{}'", char::from(self.0)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "3a2593f9-1d34-4a9c-79c8-58006b75674b";

    #[test]
    fn reads_any_dash_places_and_either_case() {
        let id = IntentionId::parse(TEXT).unwrap();
        assert_eq!(id.to_string(), TEXT);
        for text in [
            "3A2593F9-1D34-4A9C-79C8-58006B75674B",
            "----3a2593f91d344a9c79c858006b75674b",
            "3a2593f9-1d344a9c79c858006b75674b---",
        ] {
            assert_eq!(IntentionId::parse(text), Ok(id), "{text}");
        }
    }

    #[test]
    fn refuses_in_consuls_words() {
        for (text, error) in [
            ("", "UUID must be 36 characters"),
            ("exact", "UUID must be 36 characters"),
            (
                "3a2593f9-1d34-4a9c-79c8-58006b75674b0",
                "UUID must be 36 characters",
            ),
            (
                "zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz",
                "Invalid UUID: encoding/hex: invalid byte: U+007A 'z'",
            ),
            (
                "\n3a2593f-1d34-4a9c-79c8-58006b75674b",
                "Invalid UUID: encoding/hex: invalid byte: U+000A",
            ),
            (
                "3a2593f901d34-4a9c-79c8-58006b75674b",
                "Invalid UUID: 33 hex digits, need 32",
            ),
        ] {
            assert_eq!(
                IntentionId::parse(text).unwrap_err().to_string(),
                error,
                "{text}"
            );
        }
    }
}
