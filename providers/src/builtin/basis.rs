//! Which options define the root: while they stay, it stays.

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::KeyKind;

use super::keys::kind_name;

/// What the options say of the root, as a text that is kept in the state and compared.
///
/// Lifetimes and limits are no part of it. Consul up to 1.10 let the kind of key change without
/// making another root, later ones make another, as here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Basis(String);

impl Basis {
    /// A root with a key that is made here.
    pub(super) fn made(key: &KeyKind) -> Self {
        Self(format!("made {}", kind_name(key)))
    }

    /// A root that somebody gave, or the key for one: `parts` are public.
    pub(super) fn given(kind: &str, parts: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut digest = Context::new(&SHA256);
        for part in parts {
            digest.update(&part);
        }
        let digest = digest.finish();
        Self(format!("{kind} {}", STANDARD.encode(digest.as_ref())))
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
        Self::made(&KeyKind::P256)
    }
}
