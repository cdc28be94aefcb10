//! Writes a hundred megabytes to standard output.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest};

struct FloodsStandardOutput;

impl Guest for FloodsStandardOutput {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let line = "y".repeat(1024 * 1024);
        for _ in 0..100 {
            println!("{line}");
            eprintln!("{line}");
        }
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(FloodsStandardOutput);
