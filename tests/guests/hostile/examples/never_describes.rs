//! Never comes back from saying what it is.
#![cfg(target_family = "wasm")]

use hostile_guests::{Description, Guest, guest};

struct NeverDescribes;

impl Guest for NeverDescribes {
    fn describe() -> Description {
        loop {
            std::hint::spin_loop();
        }
    }
}

guest!(NeverDescribes);
