//! Signs a leaf that ends a day later than was wanted.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct LivesADayLonger;

impl Guest for LivesADayLonger {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.validity.not_after += 86_400;
        Ok(vec![leaf.sign()])
    }
}

guest!(LivesADayLonger);
