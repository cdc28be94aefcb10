//! Asks hosts that nobody allowed it: by name, by address, by a name of loopback, and by tricks of URLs.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, http, log};

struct ConnectsElsewhere;

impl Guest for ConnectsElsewhere {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        for target in http::targets() {
            let came = http::get(&target);
            log::write(log::Level::Info, &format!("{target}: {came}"));
        }
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(ConnectsElsewhere);
