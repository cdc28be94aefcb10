//! Answers with a list that is a gibibyte long, without having as much memory.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct ReturnsAGibibyte;

impl Guest for ReturnsAGibibyte {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        drop(request);
        // Many views of the same megabyte would be one too; a plugin in Rust has to own them.
        let piece = vec![0; 1024 * 1024];
        Ok(vec![piece; 1024])
    }
}

guest!(ReturnsAGibibyte);
