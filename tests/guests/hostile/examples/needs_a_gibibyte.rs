//! Has a gibibyte of memory from the start, or does not start.
#![cfg(target_family = "wasm")]

use std::cell::UnsafeCell;

use hostile_guests::{Description, Guest, ca, guest};

/// Zeros that may change, so that they take memory and not space in the file.
struct Ballast(UnsafeCell<[u8; 1024 * 1024 * 1024]>);

#[expect(unsafe_code, reason = "what nobody reads or writes may be shared")]
// SAFETY: only its address is ever asked for.
unsafe impl Sync for Ballast {}

static BALLAST: Ballast = Ballast(UnsafeCell::new([0; 1024 * 1024 * 1024]));

struct NeedsAGibibyte;

impl Guest for NeedsAGibibyte {
    fn describe() -> Description {
        Description {
            about: format!("carries its ballast at {:p}", BALLAST.0.get()),
            ..ca::description()
        }
    }
}

guest!(NeedsAGibibyte);
