//! Looks for variables and arguments.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, log};

struct ReadsTheEnvironment;

impl Guest for ReadsTheEnvironment {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let (variables, arguments) = (std::env::vars().count(), std::env::args().count());
        log::write(
            log::Level::Info,
            &format!("found {variables} variables, {arguments} arguments"),
        );
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(ReadsTheEnvironment);
