//! Answers with half of a PEM file where a certificate in DER belongs.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct ReturnsMalformedPem;

impl Guest for ReturnsMalformedPem {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        Ok(vec![b"-----BEGIN CERTIFICATE-----\nMIIB".to_vec()])
    }
}

guest!(ReturnsMalformedPem);
