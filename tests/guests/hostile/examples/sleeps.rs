//! Sleeps for an hour.
#![cfg(target_family = "wasm")]

use std::time::Duration;

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct Sleeps;

impl Guest for Sleeps {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        std::thread::sleep(Duration::from_secs(3_600));
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(Sleeps);
