//! Adds a critical extension that nobody knows.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, der, guest};

struct AddsAnUnknownExtension;

impl Guest for AddsAnUnknownExtension {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.more = der::extension(99, true, &[5, 0]);
        Ok(vec![leaf.sign()])
    }
}

guest!(AddsAnUnknownExtension);
