//! Writes to the log what would change a terminal, or look like a line of the agent.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, log};

struct WritesControlCharacters;

impl Guest for WritesControlCharacters {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        log::write(
            log::Level::Info,
            "\u{1b}[2J\u{1b}]0;owned\u{7}\r\n2026-01-01T00:00:00.000Z [ERROR] agent: forged\u{202e}\0",
        );
        log::write(log::Level::Info, &"x".repeat(1024 * 1024));
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(WritesControlCharacters);
