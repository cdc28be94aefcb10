//! The trust domain: the host part of every SPIFFE ID of one installation.

use std::fmt;
use std::sync::Arc;

use super::Printable;
use crate::serde_as_text::serde_as_text;
use crate::uuid::Uuid;

/// A SPIFFE trust domain, such as `11111111-2222-3333-4444-555555555555.consul`.
///
/// One to 255 bytes of `a-z`, `0-9`, `.`, `-` and `_` (SPIFFE-ID §2.1). Upper case is refused,
/// not folded: two spellings of one domain would be two identities somewhere else. Cloning is
/// cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TrustDomain(Arc<str>);

/// Why a text is no trust domain.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustDomainError {
    /// A byte outside the allowed set.
    #[error(
        "trust domain \"{}\" contains {character:?}, allowed are a-z, 0-9, '.', '-' and '_'",
        Printable::new(found)
    )]
    Character {
        /// The whole text.
        found: String,
        /// The first character that is not allowed.
        character: char,
    },
    /// No text at all.
    #[error("trust domain is empty, at least one character is needed")]
    Empty,
    /// More bytes than SPIFFE allows.
    #[error("trust domain has {found} bytes, allowed are {allowed}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length.
        allowed: usize,
    },
}

impl TrustDomain {
    /// The greatest length in bytes (SPIFFE-ID §2.3).
    pub const MAX_BYTES: usize = 255;

    /// Reads a trust domain as it stands in a SPIFFE ID after `spiffe://`.
    ///
    /// # Errors
    /// When it is empty, too long, or has a character that SPIFFE does not allow.
    pub fn parse(text: &str) -> Result<Self, TrustDomainError> {
        if text.is_empty() {
            return Err(TrustDomainError::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return Err(TrustDomainError::TooLong {
                found: text.len(),
                allowed: Self::MAX_BYTES,
            });
        }
        match text.chars().find(|character| !is_allowed(*character)) {
            Some(character) => Err(TrustDomainError::Character {
                found: text.to_owned(),
                character,
            }),
            None => Ok(Self(text.into())),
        }
    }

    /// The domain of a cluster: its identifier as a UUID, then `.consul`.
    ///
    /// The bytes are printed as they are (Consul sets no version bits either). The DNS domain
    /// an operator configures has no influence, as in Consul.
    #[must_use]
    pub fn for_cluster(id: [u8; 16]) -> Self {
        Self(format!("{}.consul", Uuid(id)).into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustDomain({})", self.0)
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(TrustDomain);

const fn is_allowed(character: char) -> bool {
    matches!(character, 'a'..='z' | '0'..='9' | '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_named_by_its_uuid() {
        let id = *b"\x11\x11\x11\x11\x22\x22\x33\x33\x44\x44\x55\x55\x55\x55\x55\xaf";
        let domain = TrustDomain::for_cluster(id);
        assert_eq!(
            domain.as_str(),
            "11111111-2222-3333-4444-5555555555af.consul"
        );
        assert_eq!(TrustDomain::parse(domain.as_str()), Ok(domain));
    }

    #[test]
    fn length_ends_at_255_bytes() {
        assert!(TrustDomain::parse(&"a".repeat(255)).is_ok());
        assert_eq!(
            TrustDomain::parse(&"a".repeat(256)),
            Err(TrustDomainError::TooLong {
                found: 256,
                allowed: 255
            })
        );
        assert_eq!(TrustDomain::parse(""), Err(TrustDomainError::Empty));
    }

    #[test]
    fn a_stored_domain_is_checked_when_read() {
        let domain = TrustDomain::parse("a.consul").unwrap();
        let json = serde_json::to_string(&domain).unwrap();
        assert_eq!(serde_json::from_str::<TrustDomain>(&json).unwrap(), domain);
        let error = serde_json::from_str::<TrustDomain>("\"A.consul\"").unwrap_err();
        assert!(error.to_string().contains("contains 'A'"), "{error}");
    }
}
