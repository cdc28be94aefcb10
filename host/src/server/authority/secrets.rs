//! Secrets of the CA: sealed before they are stored, and bound to their place.

use chancery_core::{CaConfiguration, Epoch, Memory, Sealed, Secret};
use chancery_providers::{OptionMap, SecretOptions, split_secrets};

use super::{AuthorityFailure, AuthorityHost};
use crate::store::SealError;

/// Contexts bind a sealed value to its place, so that one cannot be put where another belongs.
const SECRETS_CONTEXT: &str = "ca-configuration-secrets";

impl AuthorityHost {
    pub(super) fn seal_secrets(
        &self,
        secrets: &SecretOptions,
    ) -> Result<Option<Sealed>, AuthorityFailure> {
        if secrets.is_empty() {
            return Ok(None);
        }
        let text = secrets_to_json(secrets);
        Ok(Some(self.inner.sealer.seal(&text, SECRETS_CONTEXT)?))
    }

    pub(super) fn open_secrets(
        &self,
        configuration: &CaConfiguration,
    ) -> Result<SecretOptions, AuthorityFailure> {
        let Some(sealed) = &configuration.secrets else {
            return Ok(SecretOptions::default());
        };
        let text = self.inner.sealer.open(sealed, SECRETS_CONTEXT)?;
        // What was sealed here is a map of texts; anything else was made by nobody.
        let map: OptionMap = serde_json::from_slice(text.expose()).unwrap_or_default();
        Ok(split_secrets(map).1)
    }

    pub(super) fn seal_memory(&self, epoch: Epoch, memory: &Secret) -> Result<Sealed, SealError> {
        self.inner.sealer.seal(memory, &memory_context(epoch))
    }

    pub(super) fn open_memory(&self, memory: &Memory) -> Result<Secret, SealError> {
        self.inner
            .sealer
            .open(&memory.sealed, &memory_context(memory.epoch))
    }
}

pub(super) fn memory_context(epoch: Epoch) -> String {
    format!("ca-state/{epoch}")
}

fn secrets_to_json(secrets: &SecretOptions) -> Secret {
    let map: OptionMap = secrets
        .names()
        .filter_map(|name| {
            let text = String::from_utf8(secrets.find(name)?.expose().to_vec()).ok()?;
            Some((name.to_owned(), text.into()))
        })
        .collect();
    Secret::new(serde_json::Value::Object(map).to_string().into_bytes())
}
