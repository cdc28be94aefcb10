//! Puts a certificate between leaf and root that belongs to neither.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct ReturnsAnUnrelatedChain;

impl Guest for ReturnsAnUnrelatedChain {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let leaf = ca::Leaf::wanted(&request).sign();
        let stranger = ca::Leaf {
            ca: true,
            common_name: "stranger".to_owned(),
            ..ca::Leaf::wanted(&request)
        };
        Ok(vec![leaf, stranger.sign()])
    }
}

guest!(ReturnsAnUnrelatedChain);
