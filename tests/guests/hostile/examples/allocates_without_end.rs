//! Asks for memory until there is none.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct AllocatesWithoutEnd;

impl Guest for AllocatesWithoutEnd {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut hoard = vec![request.csr];
        loop {
            hoard.push(vec![1; 1024 * 1024]);
            std::hint::black_box(&hoard);
        }
    }
}

guest!(AllocatesWithoutEnd);
