//! What the host does when a plugin calls it.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use wasmtime::component::Resource;

use super::answer::key_spec;
use super::bindings::chancery::ca::{clock, keys, log, state, types};
use super::request::key_type;
use crate::wasm::counters::Counters;
use crate::wasm::guest::Guest;
use crate::wasm::held_key::HeldKey;
use crate::wasm::table::KeyRefusal;

/// What a handle stands for in the host.
#[expect(unreachable_pub, reason = "generated code re-exports it")]
pub struct Key(Arc<HeldKey>);

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => tracing::Level::TRACE,
            log::Level::Debug => tracing::Level::DEBUG,
            log::Level::Info => tracing::Level::INFO,
            log::Level::Warn => tracing::Level::WARN,
            log::Level::Error => tracing::Level::ERROR,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<types::Timestamp> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(i64::try_from(since.unwrap_or_default().as_secs())?)
    }
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.value(&key).map(<[u8]>::to_vec))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), state::WriteError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(state::WriteError::ReadOnly));
        }
        let written = self.table.set(&key, value);
        Ok(written.map_err(|_full| state::WriteError::Full))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<Result<(), state::WriteError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(state::WriteError::ReadOnly));
        }
        self.table.remove(&key);
        Ok(Ok(()))
    }

    fn keys(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.names().map(str::to_owned).collect())
    }
}

impl keys::Host for Guest {
    async fn generate(
        &mut self,
        name: String,
        kind: types::KeyType,
    ) -> wasmtime::Result<Result<Resource<Key>, keys::KeyError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(keys::KeyError::ReadOnly));
        }
        match self.table.generate(&name, key_spec(kind)).await {
            Ok(key) => Ok(Ok(self.resources.push(Key(key))?)),
            Err(KeyRefusal::Exists) => Ok(Err(keys::KeyError::Exists)),
            Err(KeyRefusal::Full) => Ok(Err(keys::KeyError::Full)),
            Err(KeyRefusal::Failed(error)) => Err(wasmtime::Error::msg(error.to_string())),
        }
    }

    fn open(&mut self, name: String) -> wasmtime::Result<Option<Resource<Key>>> {
        let Some(key) = self.table.key(&name) else {
            return Ok(None);
        };
        Ok(Some(self.resources.push(Key(key))?))
    }

    fn remove(&mut self, name: String) -> wasmtime::Result<Result<(), keys::KeyError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(keys::KeyError::ReadOnly));
        }
        self.table.remove_key(&name);
        Ok(Ok(()))
    }
}

impl keys::HostKey for Guest {
    fn kind(&mut self, key: Resource<Key>) -> wasmtime::Result<types::KeyType> {
        Ok(key_type(self.resources.get(&key)?.0.spec()))
    }

    fn public_key(&mut self, key: Resource<Key>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.resources.get(&key)?.0.public_key_der().to_vec())
    }

    fn signature_algorithm(&mut self, key: Resource<Key>) -> wasmtime::Result<Vec<u8>> {
        Ok(self
            .resources
            .get(&key)?
            .0
            .signature_algorithm_der()
            .to_vec())
    }

    fn sign(&mut self, key: Resource<Key>, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let key = Arc::clone(&self.resources.get(&key)?.0);
        Self::sign(self, &key, message).map_err(|error| wasmtime::Error::msg(error.to_string()))
    }

    fn drop(&mut self, key: Resource<Key>) -> wasmtime::Result<()> {
        self.resources.delete(key)?;
        Ok(())
    }
}
