//! Has a hundred long findings, with escapes, as if the agent had said them.
#![cfg(target_family = "wasm")]

use hostile_guests::{Finding, Guest, Stops, guest};

struct TellsTooMuch;

impl Guest for TellsTooMuch {
    fn findings() -> Vec<Finding> {
        let finding = Finding {
            subject: "\u{1b}[2Jroot CA".to_owned(),
            what: "all is well\r\nforged".repeat(100),
            advice: "\u{202e}nothing".to_owned(),
            at: Some(i64::MAX),
            stops: Stops::Nothing,
        };
        vec![finding; 100]
    }
}

guest!(TellsTooMuch);
