//! Writes to standard output without end.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

struct FloodsStandardOutput;

impl Guest for FloodsStandardOutput {
    fn sign_leaf(_request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let line = "y".repeat(1024 * 1024);
        loop {
            println!("{line}");
            eprintln!("{line}");
        }
    }
}

guest!(FloodsStandardOutput);
