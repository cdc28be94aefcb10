//! A table as versioned JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::Secret;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Kept;
use crate::ProviderError;
use crate::secret_json::secret_json;
use crate::wasm::held_key::HeldKey;

const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
struct TableV1 {
    version: u32,
    /// Values in base64.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    values: BTreeMap<String, Zeroizing<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keys: BTreeMap<String, KeyV1>,
    /// The SubjectPublicKeyInfo in base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    csr_key: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct KeyV1 {
    kind: String,
    pkcs8: Zeroizing<String>,
}

/// Writes everything.
pub(super) fn write(kept: &Kept) -> Result<Secret, ProviderError> {
    let values = kept.values.iter().map(|(name, value)| {
        let text = STANDARD.encode(value.expose());
        (name.clone(), Zeroizing::new(text))
    });
    let keys = kept.keys.iter().map(|(name, key)| {
        let (kind, pkcs8) = key.stored();
        let pkcs8 = Zeroizing::new(STANDARD.encode(pkcs8.expose()));
        (name.clone(), KeyV1 { kind, pkcs8 })
    });
    let table = TableV1 {
        version: VERSION,
        values: values.collect(),
        keys: keys.collect(),
        csr_key: kept.csr_key.as_ref().map(|key| STANDARD.encode(key)),
    };
    secret_json(&table)
        .map_err(|error| ProviderError::broken(format!("cannot write the plugin's state: {error}")))
}

/// Reads what [`write()`] wrote.
pub(super) fn read(state: &Secret) -> Result<Kept, ProviderError> {
    // The decoder's reason could quote a key, so only its place is told.
    let table: TableV1 = serde_json::from_slice(state.expose()).map_err(|error| {
        ProviderError::broken(format!(
            "the plugin's state cannot be read, at line {} column {}",
            error.line(),
            error.column()
        ))
    })?;
    if table.version != VERSION {
        return Err(ProviderError::broken(format!(
            "the plugin's state has version {}, this build reads {VERSION}",
            table.version
        )));
    }
    let mut kept = Kept::default();
    for (name, text) in table.values {
        let value = decode(&text)?;
        kept.bytes = kept.bytes.saturating_add(name.len() + value.len());
        kept.values.insert(name, Secret::new(value));
    }
    for (name, key) in table.keys {
        let pkcs8 = Secret::new(decode(&key.pkcs8)?);
        let key = HeldKey::restore(&key.kind, &pkcs8)?;
        kept.keys.insert(name, Arc::new(key));
    }
    kept.csr_key = table.csr_key.as_deref().map(decode).transpose()?;
    Ok(kept)
}

fn decode(text: &str) -> Result<Vec<u8>, ProviderError> {
    STANDARD
        .decode(text)
        .ok()
        .ok_or_else(|| ProviderError::broken("the plugin's state holds bad base64"))
}
