//! Is called what would break a log line, a metric and a common name.
#![cfg(target_family = "wasm")]

use hostile_guests::{Description, Guest, ca, guest};

struct HasANameWithEscapes;

impl Guest for HasANameWithEscapes {
    fn describe() -> Description {
        Description {
            name: "evil\n\u{1b}[31m\"}".to_owned(),
            ..ca::description()
        }
    }
}

guest!(HasANameWithEscapes);
