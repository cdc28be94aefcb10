//! Writes a hundred thousand lines to the log.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, log};

struct FloodsTheLog;

impl Guest for FloodsTheLog {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        for line in 0..100_000 {
            log::write(log::Level::Error, &format!("line {line}"));
        }
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(FloodsTheLog);
