//! Signs with a key that its root does not have.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, RootRequest, ca, guest, keys};

struct SignsWithAnotherKey;

impl Guest for SignsWithAnotherKey {
    fn root(request: RootRequest) -> Result<Certificate, Error> {
        if keys::open("other").is_none() {
            drop(keys::generate("other", request.template.key));
        }
        Ok(ca::root(&request))
    }

    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let key = keys::open("other");
        Ok(key
            .map(|key| ca::Leaf::wanted(&request).sign_with(&key))
            .into_iter()
            .collect())
    }
}

guest!(SignsWithAnotherKey);
