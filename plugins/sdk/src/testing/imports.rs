//! What a plugin imports, given by the [host](super::Host) whose call is under way on this
//! thread.

use std::cell::RefCell;
use std::sync::Arc;

use super::held_key::HeldKey;
use super::table::Table;
use crate::http::{HttpError, Request, Response};
use crate::keys::KeyError;
use crate::log::Level;
use crate::state::WriteError;
use crate::{KeyType, Timestamp};

/// What answers a plugin's requests.
pub(super) type Web = Arc<dyn Fn(&Request) -> Result<Response, HttpError> + Send + Sync>;

/// A call under way.
pub(super) struct Call {
    pub(super) table: Table,
    pub(super) writable: bool,
    pub(super) now: Timestamp,
    pub(super) web: Option<Web>,
    pub(super) lines: Vec<(Level, String)>,
}

thread_local! {
    static CALL: RefCell<Option<Call>> = const { RefCell::new(None) };
}

/// Runs `act` within `call`, and gives back what became of it.
pub(super) fn within<R>(call: Call, act: impl FnOnce() -> R) -> (Call, R) {
    /// Also when a test fails in between, the thread is free for the next one.
    struct Clear;

    impl Drop for Clear {
        fn drop(&mut self) {
            CALL.set(None);
        }
    }

    let clear = Clear;
    let before = CALL.replace(Some(call));
    assert!(before.is_none(), "a call of a plugin began within another");
    let answer = act();
    let call = take();
    drop(clear);
    (call, answer)
}

#[expect(clippy::panic, reason = "a test that cannot go on")]
fn take() -> Call {
    match CALL.take() {
        Some(call) => call,
        None => panic!("{OUTSIDE}"),
    }
}

#[expect(clippy::panic, reason = "a test that cannot go on")]
fn with<R>(act: impl FnOnce(&mut Call) -> R) -> R {
    CALL.with_borrow_mut(|call| match call {
        Some(call) => act(call),
        None => panic!("{OUTSIDE}"),
    })
}

pub(crate) fn log(level: Level, message: &str) {
    with(|call| call.lines.push((level, message.to_owned())));
}

pub(crate) fn now() -> Timestamp {
    with(|call| call.now)
}

pub(crate) fn state_value(key: &str) -> Option<Vec<u8>> {
    with(|call| call.table.value(key))
}

pub(crate) fn set_state(key: &str, value: &[u8]) -> Result<(), WriteError> {
    with(|call| {
        if !call.writable {
            return Err(WriteError::ReadOnly);
        }
        call.table.set(key, value)
    })
}

pub(crate) fn remove_state(key: &str) -> Result<(), WriteError> {
    with(|call| {
        if !call.writable {
            return Err(WriteError::ReadOnly);
        }
        call.table.remove(key);
        Ok(())
    })
}

pub(crate) fn state_keys() -> Vec<String> {
    with(|call| call.table.names())
}

pub(crate) fn generate_key(name: &str, kind: KeyType) -> Result<Key, KeyError> {
    with(|call| {
        if !call.writable {
            return Err(KeyError::ReadOnly);
        }
        call.table.generate(name, kind).map(Key)
    })
}

pub(crate) fn open_key(name: &str) -> Option<Key> {
    with(|call| call.table.key(name).map(Key))
}

pub(crate) fn remove_key(name: &str) -> Result<(), KeyError> {
    with(|call| {
        if !call.writable {
            return Err(KeyError::ReadOnly);
        }
        call.table.remove_key(name);
        Ok(())
    })
}

pub(crate) fn send(request: &Request) -> Result<Response, HttpError> {
    let url = crate::http::Url::parse(&request.url)?;
    let answer = match with(|call| call.web.clone()) {
        Some(web) => web(request)?,
        None => {
            return Err(HttpError::Denied {
                authority: url.authority.to_owned(),
            });
        }
    };
    if answer.body().len() > request.max_body {
        return Err(HttpError::TooLong {
            allowed: request.max_body,
        });
    }
    Ok(answer)
}

/// A key held by the host.
#[derive(Debug)]
pub(crate) struct Key(Arc<HeldKey>);

impl Key {
    pub(super) fn new(key: HeldKey) -> Self {
        Self(Arc::new(key))
    }

    pub(crate) fn kind(&self) -> KeyType {
        self.0.kind()
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

const OUTSIDE: &str =
    "outside of WebAssembly this works only within a chancery_plugin::testing::Host";
