//! Fails with a megabyte of escapes, and wants to be left alone for ever.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, ErrorKind, Guest, LeafRequest, guest};

struct FailsAtLength;

impl Guest for FailsAtLength {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        Err(Error {
            kind: ErrorKind::Unavailable,
            message: "\u{1b}[31m\r\nforged".repeat(100_000),
            retry_after: Some(u64::MAX),
        })
    }
}

guest!(FailsAtLength);
