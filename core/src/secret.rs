//! Bytes that must not be seen: they do not print, and they are wiped when dropped.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::base64_text;

/// A private key, a token or another value that must not leave the process in clear.
///
/// `Debug` prints a placeholder, the memory is wiped on drop, and there is deliberately no
/// `Serialize`: what reaches a store is a [`Sealed`].
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`; the caller's copy is this one.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A secret after authenticated encryption under the host's key: safe to store, opaque here.
///
/// The core carries it inside changes so that what a provider must remember is committed
/// together with the decision it belongs to. Serialised as base64 text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(#[serde(with = "base64_text")] Vec<u8>);

impl Sealed {
    /// Wraps bytes that a sealer produced.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The sealed bytes, as the sealer produced them.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing_of_a_secret() {
        let secret = Secret::new(b"canary".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(secret.expose(), b"canary");
    }

    #[test]
    fn sealed_bytes_survive_serialisation() {
        let sealed = Sealed::from_bytes(vec![0, 1, 254, 255]);
        let json = serde_json::to_string(&sealed).unwrap();
        assert_eq!(json, "\"AAH+/w==\"");
        assert_eq!(serde_json::from_str::<Sealed>(&json).unwrap(), sealed);
    }
}
