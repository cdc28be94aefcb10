//! A certificate as a row holds it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base64_text;

/// A certificate as stored: DER bytes, shared, base64 in a row.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Der(#[serde(with = "base64_text")] Arc<[u8]>);

impl Der {
    /// Takes a copy of `bytes`, which somebody has checked to be a certificate.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({} bytes)", self.0.len())
    }
}
