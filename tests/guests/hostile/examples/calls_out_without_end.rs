//! Asks the host it may ask, over and over in one call.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, http, log};

struct CallsOutWithoutEnd;

impl Guest for CallsOutWithoutEnd {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let target = http::allowed();
        let mut answered = 0_u32;
        for _ in 0..10_000 {
            if http::get(&target).starts_with("200") {
                answered += 1;
            }
        }
        log::write(log::Level::Info, &format!("answered {answered}"));
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(CallsOutWithoutEnd);
