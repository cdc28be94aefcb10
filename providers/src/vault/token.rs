//! A Vault token: it goes into one header and nowhere else.

use chancery_core::Secret;
use reqwest::header::HeaderValue;

use crate::ProviderError;

/// A token that can stand in a header. `Debug` does not show it.
#[derive(Clone, Debug)]
pub(super) struct Token(Secret);

impl Token {
    /// Takes a token, without the white space around it.
    pub(super) fn new(text: &str) -> Result<Self, ProviderError> {
        let text = text.trim();
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        if text.is_empty() || !visible || text.len() > LONGEST {
            return Err(ProviderError::misconfigured(
                "the Vault token is none: it must be visible ASCII, at most 8192 bytes",
            ));
        }
        Ok(Self(Secret::new(text.as_bytes().to_vec())))
    }

    /// For the request; marked so that no log shows it.
    pub(super) fn header(&self) -> HeaderValue {
        // Visible ASCII always fits.
        let mut value = HeaderValue::from_bytes(self.0.expose())
            .unwrap_or_else(|_impossible| HeaderValue::from_static(""));
        value.set_sensitive(true);
        value
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.expose() == other.0.expose()
    }
}

const LONGEST: usize = 8192;
