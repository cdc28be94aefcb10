//! The private keys that the host holds for this plugin, by name.
//!
//! They are kept like the [state](crate::state) and never enter the plugin.

use std::fmt;

use crate::{Error, Key, KeyType, host};

/// Makes a key and keeps it under `name`.
///
/// # Errors
/// See [`KeyError`].
pub fn generate(name: &str, kind: KeyType) -> Result<Key, KeyError> {
    host::generate_key(name, kind).map(Key)
}

/// The key kept under `name`. An option of kind
/// [`PrivateKey`](crate::OptionKind::PrivateKey) is kept under the option's name.
#[must_use]
pub fn open(name: &str) -> Option<Key> {
    host::open_key(name).map(Key)
}

/// Forgets the key kept under `name`, if any, for good.
///
/// # Errors
/// [`KeyError::ReadOnly`].
pub fn remove(name: &str) -> Result<(), KeyError> {
    host::remove_key(name)
}

/// Why there is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyError {
    /// This call may not make or remove keys: only `root`, `intermediate` and
    /// `accept_intermediate` may.
    ReadOnly,
    /// There is one of that name.
    Exists,
    /// The name is empty or has more than 64 bytes, or there are 16 keys already.
    Full,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => {
                "keys can be made and removed only in root, intermediate and accept-intermediate"
            }
            Self::Exists => "there is a key of that name already",
            Self::Full => {
                "no key can be kept: names have 1 to 64 bytes, and there are at most 16 keys"
            }
        })
    }
}

impl std::error::Error for KeyError {}

/// All of them are the plugin's own mistakes.
impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::broken(error.to_string())
    }
}
