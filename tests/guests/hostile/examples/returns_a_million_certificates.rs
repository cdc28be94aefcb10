//! Answers with a million certificates of no bytes.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct ReturnsAMillionCertificates;

impl Guest for ReturnsAMillionCertificates {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        Ok(vec![Vec::new(); 1_000_000])
    }
}

guest!(ReturnsAMillionCertificates);
