//! Never comes back from signing.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct NeverReturns;

impl Guest for NeverReturns {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut spins = request.csr.len();
        loop {
            spins = std::hint::black_box(spins.wrapping_add(1));
        }
    }
}

guest!(NeverReturns);
