//! Signs a key of its own in place of the one it was given.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, keys};

struct SignsAnotherKey;

impl Guest for SignsAnotherKey {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        let root = keys::open(ca::ROOT).map(|key| key.public_key());
        leaf.public_key = root.unwrap_or_default();
        Ok(vec![leaf.sign()])
    }
}

guest!(SignsAnotherKey);
