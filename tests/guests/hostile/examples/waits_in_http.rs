//! Asks a host that never answers.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, http, log};

struct WaitsInHttp;

impl Guest for WaitsInHttp {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let came = http::get(&http::allowed());
        log::write(log::Level::Info, &came);
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(WaitsInHttp);
