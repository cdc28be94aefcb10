//! Signs every leaf with the same serial, though it claims to take ours.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct TakesAnotherSerial;

impl Guest for TakesAnotherSerial {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.serial = vec![7];
        Ok(vec![leaf.sign()])
    }
}

guest!(TakesAnotherSerial);
