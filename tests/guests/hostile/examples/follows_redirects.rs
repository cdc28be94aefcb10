//! Goes where the host it may ask sends it.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, http, log};

struct FollowsRedirects;

impl Guest for FollowsRedirects {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let target = http::allowed();
        let came = http::get(&target);
        log::write(log::Level::Info, &format!("first: {came}"));
        if let Some((_, location)) = came.split_once(" to ") {
            log::write(log::Level::Info, &format!("then: {}", http::get(location)));
        }
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(FollowsRedirects);
