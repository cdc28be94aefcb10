//! Works twice and then traps.
#![cfg(target_family = "wasm")]

use std::sync::atomic::{AtomicU32, Ordering};

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

static CALLS: AtomicU32 = AtomicU32::new(0);

struct TrapsOnThirdCall;

impl Guest for TrapsOnThirdCall {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        if CALLS.fetch_add(1, Ordering::Relaxed) == 2 {
            std::process::abort();
        }
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(TrapsOnThirdCall);
