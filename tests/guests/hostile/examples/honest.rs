//! Does nothing wrong: what the others are measured against.
#![cfg(target_family = "wasm")]

use hostile_guests::{Guest, guest};

struct Honest;

impl Guest for Honest {}

guest!(Honest);
