//! Traps on every call.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct TrapsAlways;

impl Guest for TrapsAlways {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        std::process::abort()
    }
}

guest!(TrapsAlways);
