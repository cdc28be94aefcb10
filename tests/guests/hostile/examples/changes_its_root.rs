//! Has another root each time it is asked.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, RootRequest, ca, guest};

struct ChangesItsRoot;

impl Guest for ChangesItsRoot {
    fn root(mut request: RootRequest) -> Result<Certificate, Error> {
        request.renew = true;
        Ok(ca::root(&request))
    }
}

guest!(ChangesItsRoot);
