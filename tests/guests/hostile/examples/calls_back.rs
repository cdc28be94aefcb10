//! Calls the host from the allocator, while the host is handing it something.
#![cfg(target_family = "wasm")]

use std::alloc::{GlobalAlloc, Layout, System};

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, log};

/// The system's allocator, which tells the log of each use.
struct Telling;

#[expect(unsafe_code, reason = "an allocator is unsafe by its kind")]
// SAFETY: every call is handed on as it is.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        log::write(log::Level::Info, "allocating");
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Telling = Telling;

struct CallsBack;

impl Guest for CallsBack {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(CallsBack);
