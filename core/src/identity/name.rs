//! Names of services and nodes, and their one spelling inside a SPIFFE ID.

use std::fmt;
use std::sync::Arc;

use super::Printable;
use super::printable::hides;
use crate::serde_as_text::serde_as_text;

/// A service's name as people write it (decoded).
///
/// One to 512 bytes without `/`, `%`, control or text-direction characters, and not `.` or `..`.
/// Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceName(Name);

/// A node's name as people write it (decoded); the rules of [`ServiceName`].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeName(Name);

/// Whether SPIFFE can say a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "a name is in SPIFFE's alphabet or it is not"
)]
pub enum NameClass {
    /// Has characters that only Consul knows; must never reach the SPIFFE Workload API.
    ConsulOnly,
    /// `A-Z`, `a-z`, `0-9`, `.`, `_` and `-` only (SPIFFE-ID §2.2).
    Spiffe,
}

/// Why a text is no name, or no spelling of one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// A byte that Consul percent-encodes stands bare.
    #[error(
        "name \"{}\" contains {byte:#04x} as it is, the only spelling is %{byte:02X}",
        Printable::new(found)
    )]
    Bare {
        /// The whole segment.
        found: String,
        /// The byte.
        byte: u8,
    },
    /// `%` is not followed by two upper-case hexadecimal digits.
    #[error(
        "name \"{}\" contains \"{}\", an encoded byte is '%' and two of 0-9, A-F",
        Printable::new(found),
        Printable::new(escape)
    )]
    BrokenEscape {
        /// The whole segment.
        found: String,
        /// What follows from the `%` on, up to three characters.
        escape: String,
    },
    /// The name is `.` or `..`.
    #[error("name is \"{found}\", which means a step in a path and names nothing")]
    Dots {
        /// The name.
        found: String,
    },
    /// No text at all.
    #[error("name is empty, at least one character is needed")]
    Empty,
    /// A character that is not allowed, however it is spelled.
    #[error("name \"{}\" contains {}, names have no '/', '%', control or text-direction characters", Printable::new(found), character.escape_debug())]
    Forbidden {
        /// The whole text.
        found: String,
        /// The character.
        character: char,
    },
    /// A byte is percent-encoded that Consul leaves bare.
    #[error("name \"{}\" contains %{byte:02X}, the only spelling is '{}'", Printable::new(found), char::from(*byte))]
    NeedlessEscape {
        /// The whole segment.
        found: String,
        /// The encoded byte.
        byte: u8,
    },
    /// The decoded bytes are no text.
    #[error(
        "name \"{}\" decodes to bytes that are not UTF-8, only UTF-8 is allowed",
        Printable::new(found)
    )]
    NotUtf8 {
        /// The whole segment.
        found: String,
    },
    /// Too many bytes.
    #[error("name has {found} bytes, allowed are {allowed}")]
    TooLong {
        /// Its length in bytes, decoded.
        found: usize,
        /// The greatest length.
        allowed: usize,
    },
}

macro_rules! name_type {
    ($type:ident, $what:literal) => {
        impl $type {
            /// The greatest length in bytes: ours, so that the encoded name (three times as
            /// long) fits into a SPIFFE ID with the longest trust domain and datacenter.
            pub const MAX_BYTES: usize = MAX_BYTES;

            #[doc = concat!("Reads a ", $what, "'s name as people write it: nothing is decoded.")]
            ///
            /// # Errors
            /// When it is empty, too long, `.`, `..`, or has a character that no name may have.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                Name::parse(text).map(Self)
            }

            /// The name, decoded.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0.0
            }

            /// Whether SPIFFE can say the name.
            #[must_use]
            pub fn class(&self) -> NameClass {
                self.0.class()
            }

            /// Reads the name's spelling inside a SPIFFE ID.
            pub(super) fn decode(segment: &str) -> Result<Self, NameError> {
                Name::decode(segment).map(Self)
            }

            /// The name's spelling inside a SPIFFE ID.
            pub(super) const fn encoded(&self) -> Encoded<'_> {
                Encoded(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($type), "({})"), self.as_str())
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        serde_as_text!($type);
    };
}

name_type!(ServiceName, "service");
name_type!(NodeName, "node");

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Name(Arc<str>);

impl Name {
    fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if text.len() > MAX_BYTES {
            return Err(NameError::TooLong {
                found: text.len(),
                allowed: MAX_BYTES,
            });
        }
        if text == "." || text == ".." {
            return Err(NameError::Dots {
                found: text.to_owned(),
            });
        }
        let forbidden = |c: &char| *c == '/' || *c == '%' || hides(*c);
        match text.chars().find(forbidden) {
            Some(character) => Err(NameError::Forbidden {
                found: text.to_owned(),
                character,
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// Reads exactly what [`Encoded`] writes.
    fn decode(segment: &str) -> Result<Self, NameError> {
        let found = || segment.to_owned();
        let mut decoded = Vec::with_capacity(segment.len().min(MAX_BYTES + 1));
        let mut rest = segment.as_bytes();
        while let [byte, tail @ ..] = rest {
            if *byte != b'%' {
                if !stands_bare(*byte) {
                    return Err(NameError::Bare {
                        found: found(),
                        byte: *byte,
                    });
                }
                decoded.push(*byte);
                rest = tail;
                continue;
            }
            let [high, low, after @ ..] = tail else {
                return Err(broken_escape(segment, rest));
            };
            let (Some(high), Some(low)) = (upper_hex(*high), upper_hex(*low)) else {
                return Err(broken_escape(segment, rest));
            };
            let value = high << 4 | low;
            if stands_bare(value) {
                return Err(NameError::NeedlessEscape {
                    found: found(),
                    byte: value,
                });
            }
            decoded.push(value);
            rest = after;
        }
        match String::from_utf8(decoded) {
            Ok(name) => Self::parse(&name),
            Err(_) => Err(NameError::NotUtf8 { found: found() }),
        }
    }

    fn class(&self) -> NameClass {
        let spiffe = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        if self.0.bytes().all(spiffe) {
            NameClass::Spiffe
        } else {
            NameClass::ConsulOnly
        }
    }
}

/// A name as Go's `url` package spells it in a path, which is how Consul spells it.
pub(super) struct Encoded<'a>(&'a Name);

impl fmt::Display for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest: &str = &self.0.0;
        // Whole runs at once: nearly every name is one run.
        while let Some(position) = rest.bytes().position(|byte| !stands_bare(byte)) {
            let (bare, tail) = rest.split_at(position);
            f.write_str(bare)?;
            let length = tail.chars().next().map_or(1, char::len_utf8);
            let (encoded, after) = tail.split_at(length);
            for byte in encoded.bytes() {
                write!(f, "%{byte:02X}")?;
            }
            rest = after;
        }
        f.write_str(rest)
    }
}

/// Go's `shouldEscape` in its path mode, without `/`, which no name contains.
const fn stands_bare(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'-' | b'_' | b'.' | b'~' | b'$' | b'&' | b'+' | b',' | b':' | b';' | b'=' | b'@'
        )
}

const fn upper_hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn broken_escape(segment: &str, rest: &[u8]) -> NameError {
    let escape = rest.iter().take(3).map(|byte| char::from(*byte)).collect();
    NameError::BrokenEscape {
        found: segment.to_owned(),
        escape,
    }
}

const MAX_BYTES: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str) -> String {
        ServiceName::parse(text).unwrap().encoded().to_string()
    }

    #[test]
    fn names_are_spelled_as_go_spells_them() {
        for (name, spelled) in [
            ("web", "web"),
            ("My.Web_Svc-1", "My.Web_Svc-1"),
            ("a~$&+,:;=@b", "a~$&+,:;=@b"),
            ("*", "%2A"),
            ("a b", "a%20b"),
            ("café", "caf%C3%A9"),
            ("q?#[]!'()", "q%3F%23%5B%5D%21%27%28%29"),
            ("\\\"<>^`{|}", "%5C%22%3C%3E%5E%60%7B%7C%7D"),
        ] {
            assert_eq!(encode(name), spelled);
            assert_eq!(ServiceName::decode(spelled).unwrap().as_str(), name);
        }
    }

    #[test]
    fn every_byte_has_exactly_one_spelling() {
        for byte in 0_u8..128 {
            let bare = ServiceName::decode(&format!("a{}", char::from(byte)));
            let upper = ServiceName::decode(&format!("a%{byte:02X}"));
            let spellings = usize::from(bare.is_ok()) + usize::from(upper.is_ok());
            let nameless = byte < 32 || matches!(byte, b'/' | b'%' | 127);
            assert_eq!(spellings, usize::from(!nameless), "{byte:#x}");
            let lower = format!("a%{byte:02x}");
            if lower != format!("a%{byte:02X}") {
                assert!(ServiceName::decode(&lower).is_err(), "{lower}");
            }
        }
    }

    #[test]
    fn a_name_says_whether_spiffe_knows_it() {
        for (name, class) in [
            ("web-1.A_b", NameClass::Spiffe),
            ("web~1", NameClass::ConsulOnly),
            ("*", NameClass::ConsulOnly),
            ("é", NameClass::ConsulOnly),
        ] {
            assert_eq!(ServiceName::parse(name).unwrap().class(), class, "{name}");
        }
    }

    #[test]
    fn names_end_at_512_bytes() {
        assert!(NodeName::parse(&"n".repeat(512)).is_ok());
        assert_eq!(
            NodeName::parse(&"n".repeat(513)),
            Err(NameError::TooLong {
                found: 513,
                allowed: 512
            })
        );
        assert!(ServiceName::decode(&"%2A".repeat(512)).is_ok());
        assert!(ServiceName::decode(&"%2A".repeat(513)).is_err());
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        for (name, reason) in [
            ("", "name is empty, at least one character is needed"),
            (
                "..",
                "name is \"..\", which means a step in a path and names nothing",
            ),
            (
                "a/b",
                "name \"a/b\" contains /, names have no '/', '%', control or text-direction characters",
            ),
            (
                "a\nb",
                "name \"a\\u{a}b\" contains \\n, names have no '/', '%', control or text-direction characters",
            ),
        ] {
            assert_eq!(ServiceName::parse(name).unwrap_err().to_string(), reason);
        }
        assert!(ServiceName::parse("...").is_ok());
    }
}
