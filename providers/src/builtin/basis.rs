//! Which options define the root: while they stay, it stays.

use super::keys::kind_name;
use crate::KeySpec;

/// What the options say of the root, as a text that is kept in the state and compared.
///
/// Lifetimes and limits are no part of it. Consul up to 1.10 let the kind of key change without
/// making another root, later ones make another, as here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis(String);

impl Basis {
    /// A root with a key that is made here.
    pub(super) fn made(key: KeySpec) -> Self {
        Self(format!("made {}", kind_name(key)))
    }

    /// The text that a state was kept for.
    pub(super) fn restore(text: String) -> Self {
        Self(text)
    }

    /// The text to keep.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Basis {
    fn default() -> Self {
        Self::made(KeySpec::EcP256)
    }
}
