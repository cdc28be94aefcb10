//! Claims more when it is configured than when it described itself.
#![cfg(target_family = "wasm")]

use hostile_guests::{Capabilities, Config, ConfigureError, Guest, guest};

struct GrowsItsCapabilities;

impl Guest for GrowsItsCapabilities {
    fn configure(_config: Config) -> Result<Capabilities, ConfigureError> {
        Ok(Capabilities::CHOOSES_SERIALS | Capabilities::CROSS_SIGN)
    }
}

guest!(GrowsItsCapabilities);
