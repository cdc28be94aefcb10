//! Leaves a mark in its memory, and looks for the marks of others.
#![cfg(target_family = "wasm")]

use hostile_guests::{Capabilities, Config, ConfigureError, Guest, guest, log};

/// 16 MiB.
const PAGES: usize = 256;
const PAGE: usize = 65_536;
const MARK: u8 = 0xa5;

/// How many bytes of memory that nobody here has written are not zero; then writes them.
#[expect(
    unsafe_code,
    reason = "memory that no allocator has touched can only be looked at so"
)]
fn look_and_leave() -> usize {
    let first = core::arch::wasm32::memory_grow::<0>(PAGES);
    let Some(start) = first.checked_mul(PAGE).filter(|_| first != usize::MAX) else {
        return usize::MAX;
    };
    // SAFETY: these pages were added a moment ago and belong to nobody else.
    let fresh = unsafe { core::slice::from_raw_parts_mut(start as *mut u8, PAGES * PAGE) };
    let dirty = fresh.iter().filter(|byte| **byte != 0).count();
    fresh.fill(MARK);
    dirty
}

struct RemembersOthers;

impl Guest for RemembersOthers {
    fn configure(_config: Config) -> Result<Capabilities, ConfigureError> {
        let dirty = look_and_leave();
        log::write(log::Level::Info, &format!("found {dirty} bytes of others"));
        Ok(Self::describe().capabilities)
    }
}

guest!(RemembersOthers);
