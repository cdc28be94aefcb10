//! Claims to cross-sign and to sign intermediates, and refuses when asked.
#![cfg(target_family = "wasm")]

use hostile_guests::{Capabilities, Description, Guest, ca, guest};

struct ClaimsWhatItCannotDo;

impl Guest for ClaimsWhatItCannotDo {
    fn describe() -> Description {
        Description {
            capabilities: Capabilities::CHOOSES_SERIALS
                | Capabilities::CROSS_SIGN
                | Capabilities::SIGN_INTERMEDIATE,
            ..ca::description()
        }
    }
}

guest!(ClaimsWhatItCannotDo);
