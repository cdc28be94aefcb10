//! Has a hundred thousand options and a name of a megabyte.
#![cfg(target_family = "wasm")]

use hostile_guests::{Description, Guest, OptionKind, OptionSpec, ca, guest};

struct DescribesItselfEndlessly;

impl Guest for DescribesItselfEndlessly {
    fn describe() -> Description {
        let option = |number| OptionSpec {
            name: format!("option_{number}"),
            kind: OptionKind::Text,
            required: false,
            default: None,
            about: "one of too many".to_owned(),
        };
        Description {
            name: "n".repeat(1024 * 1024),
            options: (0..100_000).map(option).collect(),
            ..ca::description()
        }
    }
}

guest!(DescribesItselfEndlessly);
