//! What the plugin remembers: a small table, kept sealed with the state of the CA.
//!
//! It is all that survives a restart, and all that one instance knows of another. See
//! [`Ca`](crate::Ca) for when it can be written.

use std::fmt;

use crate::{Error, host};

/// The value kept under `key`.
#[must_use]
pub fn value(key: &str) -> Option<Vec<u8>> {
    host::state_value(key)
}

/// The value kept under `key`, if it is text.
#[must_use]
pub fn text(key: &str) -> Option<String> {
    String::from_utf8(value(key)?).ok()
}

/// Keeps `value` under `key`, in place of what was there.
///
/// # Errors
/// See [`WriteError`].
pub fn set(key: &str, value: impl AsRef<[u8]>) -> Result<(), WriteError> {
    host::set_state(key, value.as_ref())
}

/// Forgets what is kept under `key`, if anything.
///
/// # Errors
/// [`WriteError::ReadOnly`].
pub fn remove(key: &str) -> Result<(), WriteError> {
    host::remove_state(key)
}

/// All keys, sorted.
#[must_use]
pub fn keys() -> Vec<String> {
    host::state_keys()
}

/// Why something was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WriteError {
    /// This call may not write: only `root`, `intermediate` and `accept_intermediate` may.
    ReadOnly,
    /// The key has more than 256 bytes or none, or the table has no room for the value: it holds
    /// 64 KiB in all unless the host says otherwise.
    Full,
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadOnly => {
                "state can be written only in root, intermediate and accept-intermediate"
            }
            Self::Full => "the state has no room for this: keys have 1 to 256 bytes",
        })
    }
}

impl std::error::Error for WriteError {}

/// All of them are the plugin's own mistakes.
impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        Self::broken(error.to_string())
    }
}
