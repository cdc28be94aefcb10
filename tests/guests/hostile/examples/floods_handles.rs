//! Opens its key ten million times and keeps every handle.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, keys};

struct FloodsHandles;

impl Guest for FloodsHandles {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut handles = Vec::new();
        for _ in 0..10_000_000 {
            handles.extend(keys::open(ca::ROOT));
        }
        std::hint::black_box(&handles);
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(FloodsHandles);
