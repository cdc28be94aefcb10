//! Answers without a certificate.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct ReturnsNothing;

impl Guest for ReturnsNothing {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        Ok(Vec::new())
    }
}

guest!(ReturnsNothing);
