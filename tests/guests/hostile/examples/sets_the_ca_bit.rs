//! Signs a leaf that is a CA.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct SetsTheCaBit;

impl Guest for SetsTheCaBit {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.ca = true;
        Ok(vec![leaf.sign()])
    }
}

guest!(SetsTheCaBit);
