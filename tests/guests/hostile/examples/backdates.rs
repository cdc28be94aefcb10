//! Signs a leaf that was good a year ago.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct Backdates;

impl Guest for Backdates {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.validity.not_before -= 365 * 86_400;
        Ok(vec![leaf.sign()])
    }
}

guest!(Backdates);
