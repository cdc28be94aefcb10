//! Answers with a leaf that lacks its last byte.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct ReturnsATruncatedLeaf;

impl Guest for ReturnsATruncatedLeaf {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request).sign();
        leaf.pop();
        Ok(vec![leaf])
    }
}

guest!(ReturnsATruncatedLeaf);
