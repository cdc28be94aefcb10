//! Signs the SPIFFE ID that was wanted and one more.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct SignsTwoIdentities;

impl Guest for SignsTwoIdentities {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.names
            .extend(ca::uri(&request.template.uri.replace("/svc/", "/svc/not-")));
        Ok(vec![leaf.sign()])
    }
}

guest!(SignsTwoIdentities);
