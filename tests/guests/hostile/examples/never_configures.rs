//! Never comes back from its first call.
#![cfg(target_family = "wasm")]

use hostile_guests::{Capabilities, Config, ConfigureError, Guest, guest};

struct NeverConfigures;

impl Guest for NeverConfigures {
    fn configure(_config: Config) -> Result<Capabilities, ConfigureError> {
        loop {
            std::hint::spin_loop();
        }
    }
}

guest!(NeverConfigures);
