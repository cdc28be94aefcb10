//! Signs the SPIFFE ID of another service.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct SignsAnotherIdentity;

impl Guest for SignsAnotherIdentity {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.names = ca::uri(&request.template.uri.replace("/svc/", "/svc/not-"));
        Ok(vec![leaf.sign()])
    }
}

guest!(SignsAnotherIdentity);
