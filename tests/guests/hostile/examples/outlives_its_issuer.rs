//! Signs a leaf that ends a century after its issuer.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct OutlivesItsIssuer;

impl Guest for OutlivesItsIssuer {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.validity.not_after += 100 * 365 * 86_400;
        Ok(vec![leaf.sign()])
    }
}

guest!(OutlivesItsIssuer);
