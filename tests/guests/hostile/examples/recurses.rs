//! Calls itself without end.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, guest};

#[expect(unconditional_recursion, reason = "that is what it is for")]
fn deeper(depth: usize) -> u8 {
    let here = std::hint::black_box([0_u8; 256]);
    let below = deeper(std::hint::black_box(depth) + 1);
    below.wrapping_add(here.iter().sum())
}

struct Recurses;

impl Guest for Recurses {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        Ok(vec![vec![deeper(request.csr.len())]])
    }
}

guest!(Recurses);
