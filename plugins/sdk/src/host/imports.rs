//! The imports of the component.

use crate::bindings::chancery::ca::{clock, keys, log, state, types};
use crate::keys::KeyError;
use crate::log::Level;
use crate::state::WriteError;
use crate::{KeyType, Timestamp};

pub(crate) fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => log::Level::Trace,
        Level::Debug => log::Level::Debug,
        Level::Info => log::Level::Info,
        Level::Warn => log::Level::Warn,
        Level::Error => log::Level::Error,
    };
    log::write(level, message);
}

pub(crate) fn now() -> Timestamp {
    clock::now()
}

pub(crate) fn state_value(key: &str) -> Option<Vec<u8>> {
    state::get(key)
}

pub(crate) fn set_state(key: &str, value: &[u8]) -> Result<(), WriteError> {
    state::set(key, value).map_err(write_error)
}

pub(crate) fn remove_state(key: &str) -> Result<(), WriteError> {
    state::remove(key).map_err(write_error)
}

pub(crate) fn state_keys() -> Vec<String> {
    state::keys()
}

pub(crate) fn generate_key(name: &str, kind: KeyType) -> Result<Key, KeyError> {
    keys::generate(name, kind.into())
        .map(Key)
        .map_err(key_error)
}

pub(crate) fn open_key(name: &str) -> Option<Key> {
    keys::open(name).map(Key)
}

pub(crate) fn remove_key(name: &str) -> Result<(), KeyError> {
    keys::remove(name).map_err(key_error)
}

/// A key held by the host.
#[derive(Debug)]
pub(crate) struct Key(keys::Key);

impl Key {
    pub(crate) fn kind(&self) -> KeyType {
        self.0.kind().into()
    }

    pub(crate) fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    pub(crate) fn signature_algorithm(&self) -> Vec<u8> {
        self.0.signature_algorithm()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message)
    }
}

const fn write_error(error: state::WriteError) -> WriteError {
    match error {
        state::WriteError::ReadOnly => WriteError::ReadOnly,
        state::WriteError::Full => WriteError::Full,
    }
}

const fn key_error(error: keys::KeyError) -> KeyError {
    match error {
        keys::KeyError::ReadOnly => KeyError::ReadOnly,
        keys::KeyError::Exists => KeyError::Exists,
        keys::KeyError::Full => KeyError::Full,
    }
}

impl From<KeyType> for types::KeyType {
    fn from(kind: KeyType) -> Self {
        match kind {
            KeyType::EcP256 => Self::EcP256,
            KeyType::EcP384 => Self::EcP384,
            KeyType::EcP521 => Self::EcP521,
            KeyType::Ed25519 => Self::Ed25519,
            KeyType::Rsa2048 => Self::Rsa2048,
            KeyType::Rsa4096 => Self::Rsa4096,
        }
    }
}

impl From<types::KeyType> for KeyType {
    fn from(kind: types::KeyType) -> Self {
        match kind {
            types::KeyType::EcP256 => Self::EcP256,
            types::KeyType::EcP384 => Self::EcP384,
            types::KeyType::EcP521 => Self::EcP521,
            types::KeyType::Ed25519 => Self::Ed25519,
            types::KeyType::Rsa2048 => Self::Rsa2048,
            types::KeyType::Rsa4096 => Self::Rsa4096,
        }
    }
}
