//! Writes to the state in a call that may only read.
#![cfg(target_family = "wasm")]

use hostile_guests::{
    Certificate, Error, Guest, KeyType, LeafRequest, ca, guest, keys, log, state,
};

struct WritesWhileSigning;

impl Guest for WritesWhileSigning {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let written = state::set("seen", &request.csr).is_ok();
        let made = keys::generate("seen", KeyType::EcP256).is_ok();
        log::write(
            log::Level::Info,
            &format!("written: {written}, made: {made}"),
        );
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(WritesWhileSigning);
