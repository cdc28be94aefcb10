//! Signs another common name, though it claims to take ours.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct TakesAnotherName;

impl Guest for TakesAnotherName {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.common_name = "admin".to_owned();
        Ok(vec![leaf.sign()])
    }
}

guest!(TakesAnotherName);
