//! The two fixed parts of an identity's path: datacenter and namespace.

use std::fmt;
use std::sync::Arc;

use super::Printable;
use crate::serde_as_text::serde_as_text;

/// A datacenter's name: 1 to 64 bytes of `a-z`, `0-9`, `_` and `-`.
///
/// Consul accepts upper case in its configuration and folds it; whoever reads configuration
/// folds before coming here, because an identity has one spelling. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Datacenter(Arc<str>);

/// Why a text names no datacenter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DatacenterError {
    /// A character outside the allowed set.
    #[error(
        "datacenter \"{}\" contains {character:?}, allowed are a-z, 0-9, '_' and '-'",
        Printable::new(found)
    )]
    Character {
        /// The whole text.
        found: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// No text at all.
    #[error("datacenter is empty, at least one character is needed")]
    Empty,
    /// Too many bytes.
    #[error("datacenter has {found} bytes, allowed are {allowed}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length.
        allowed: usize,
    },
}

impl Datacenter {
    /// The greatest length in bytes: ours, so that no identity outgrows SPIFFE's 2,048 bytes.
    pub const MAX_BYTES: usize = 64;

    /// Reads a datacenter's name.
    ///
    /// # Errors
    /// When it is empty, too long, or has another character than Consul allows.
    pub fn parse(text: &str) -> Result<Self, DatacenterError> {
        if text.is_empty() {
            return Err(DatacenterError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(DatacenterError::TooLong {
                found: text.len(),
                allowed: Self::MAX_BYTES,
            });
        }
        let allowed = |character: &char| matches!(character, 'a'..='z' | '0'..='9' | '_' | '-');
        match text.chars().find(|character| !allowed(character)) {
            Some(character) => Err(DatacenterError::Character {
                found: text.to_owned(),
                character,
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Datacenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Datacenter({})", self.0)
    }
}

impl fmt::Display for Datacenter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(Datacenter);

/// A namespace. Only `default` exists: more than one is a feature of Consul Enterprise.
///
/// The type is in every signature that will need it, so that more namespaces change no caller.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(());

/// Why a text is no namespace we know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("namespace is \"{}\", only \"default\" exists", Printable::new(found))]
#[non_exhaustive]
pub struct NamespaceError {
    /// The text.
    pub found: String,
}

impl Namespace {
    /// The namespace `default`.
    pub const DEFAULT: Self = Self(());

    /// Reads a namespace.
    ///
    /// # Errors
    /// When it is another than `default`.
    pub fn parse(text: &str) -> Result<Self, NamespaceError> {
        if text == "default" {
            Ok(Self::DEFAULT)
        } else {
            Err(NamespaceError {
                found: text.to_owned(),
            })
        }
    }

    /// The text.
    #[must_use]
    pub const fn as_str(&self) -> &str {
        "default"
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

serde_as_text!(Namespace);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datacenter_has_consuls_letters_in_lower_case() {
        assert!(Datacenter::parse("dc1_eu-west").is_ok());
        for (text, character) in [("DC1", 'D'), ("dc.1", '.'), ("dc%31", '%'), ("dc\n", '\n')] {
            assert_eq!(
                Datacenter::parse(text),
                Err(DatacenterError::Character {
                    found: text.to_owned(),
                    character
                })
            );
        }
    }

    #[test]
    fn a_datacenter_has_1_to_64_bytes() {
        assert_eq!(Datacenter::parse(""), Err(DatacenterError::Empty));
        assert!(Datacenter::parse(&"d".repeat(64)).is_ok());
        assert!(Datacenter::parse(&"d".repeat(65)).is_err());
    }

    #[test]
    fn only_the_default_namespace_exists() {
        assert_eq!(Namespace::parse("default"), Ok(Namespace::DEFAULT));
        let error = Namespace::parse("team\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "namespace is \"team\\u{a}\", only \"default\" exists"
        );
    }
}
