//! Signs, and traps when it is asked what will stop working.
#![cfg(target_family = "wasm")]

use hostile_guests::{Finding, Guest, guest};

struct TrapsWhenAskedHowItIs;

impl Guest for TrapsWhenAskedHowItIs {
    fn findings() -> Vec<Finding> {
        unreachable!("how it is, is nobody's affair")
    }
}

guest!(TrapsWhenAskedHowItIs);
