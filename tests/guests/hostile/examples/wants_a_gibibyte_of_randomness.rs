//! Asks for a gibibyte of random bytes.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct WantsAGibibyteOfRandomness;

impl Guest for WantsAGibibyteOfRandomness {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let bytes = wasip2::random::random::get_random_bytes(1024 * 1024 * 1024);
        std::hint::black_box(&bytes);
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(WantsAGibibyteOfRandomness);
