//! What the host gives: in the sandbox the imports, in a native test what stands in for them.

#[cfg(target_family = "wasm")]
mod imports;

#[cfg(target_family = "wasm")]
pub(crate) use self::imports::{
    Key, generate_key, log, now, open_key, remove_key, remove_state, set_state, state_keys,
    state_value,
};
#[cfg(not(target_family = "wasm"))]
pub(crate) use crate::testing::imports::{
    Key, generate_key, log, now, open_key, remove_key, remove_state, set_state, state_keys,
    state_value,
};
