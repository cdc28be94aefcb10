//! State and keys of one plugin.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::held_key::HeldKey;
use crate::KeyType;
use crate::keys::KeyError;
use crate::state::WriteError;

const MAX_KEY: usize = 256;
const MAX_STATE: usize = 64 * 1024;
const MAX_NAME: usize = 64;
const MAX_KEYS: usize = 16;

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    values: BTreeMap<String, Vec<u8>>,
    keys: BTreeMap<String, Arc<HeldKey>>,
}

impl Table {
    pub(super) fn set(&mut self, key: &str, value: &[u8]) -> Result<(), WriteError> {
        let others = self.values.iter().filter(|(known, _)| *known != key);
        let kept: usize = others.map(|(key, value)| key.len() + value.len()).sum();
        let room = kept + key.len() + value.len() <= MAX_STATE;
        if !(1..=MAX_KEY).contains(&key.len()) || !room {
            return Err(WriteError::Full);
        }
        self.values.insert(key.to_owned(), value.to_vec());
        Ok(())
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.values.remove(key);
    }

    pub(super) fn value(&self, key: &str) -> Option<Vec<u8>> {
        self.values.get(key).cloned()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.values.keys().cloned().collect()
    }

    pub(super) fn generate(&mut self, name: &str, kind: KeyType) -> Result<Arc<HeldKey>, KeyError> {
        if self.keys.contains_key(name) {
            return Err(KeyError::Exists);
        }
        if !(1..=MAX_NAME).contains(&name.len()) || self.keys.len() >= MAX_KEYS {
            return Err(KeyError::Full);
        }
        let key = Arc::new(HeldKey::generate(kind));
        self.keys.insert(name.to_owned(), Arc::clone(&key));
        Ok(key)
    }

    pub(super) fn insert_key(&mut self, name: &str, key: HeldKey) {
        self.keys.insert(name.to_owned(), Arc::new(key));
    }

    pub(super) fn key(&self, name: &str) -> Option<Arc<HeldKey>> {
        self.keys.get(name).cloned()
    }

    pub(super) fn remove_key(&mut self, name: &str) {
        self.keys.remove(name);
    }
}
