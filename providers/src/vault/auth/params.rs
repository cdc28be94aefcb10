//! `AuthMethod.Params`: secret as a whole, because half of them are.

use chancery_core::Secret;
use serde_json::Value;

use super::Source;
use crate::ProviderError;
use crate::options::{OptionMap, PARAMS, SecretOptions};
use crate::vault::options::find;

/// The parameters of one method.
pub(super) struct Params<'a> {
    method: &'a str,
    map: OptionMap,
}

impl<'a> Params<'a> {
    pub(super) fn read(secrets: &SecretOptions, method: &'a str) -> Result<Self, ProviderError> {
        let map = match secrets.find(PARAMS) {
            None => OptionMap::new(),
            // The decoder's reason could quote a secret.
            Some(json) => serde_json::from_slice(json.expose()).map_err(|_quotes| {
                ProviderError::misconfigured("AuthMethod.Params must be a map of names to texts")
            })?,
        };
        Ok(Self { method, map })
    }

    pub(super) fn optional(&self, name: &str) -> Option<String> {
        find(&self.map, name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    }

    pub(super) fn needed(&self, name: &str) -> Result<String, ProviderError> {
        self.optional(name).ok_or_else(|| self.missing(name))
    }

    /// A value, or the file that holds it.
    pub(super) fn source(&self, value: &str, file: &str) -> Result<Source, ProviderError> {
        if let Some(given) = self.optional(value) {
            return Ok(Source::Given(Secret::new(given.into_bytes())));
        }
        self.optional(file)
            .map(Source::File)
            .ok_or_else(|| self.missing(&format!("{value} or {file}")))
    }

    fn missing(&self, name: &str) -> ProviderError {
        let method = self.method;
        ProviderError::misconfigured(format!("auth method {method} needs {name} in Params"))
    }
}
