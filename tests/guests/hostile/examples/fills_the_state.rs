//! Keeps more than it may.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, RootRequest, ca, guest, log, state};

struct FillsTheState;

impl Guest for FillsTheState {
    fn root(request: RootRequest) -> Result<Certificate, Error> {
        let root = ca::root(&request);
        let mut kept = 0_u32;
        while state::set(&format!("hoard-{kept}"), &[1; 1024]).is_ok() {
            kept += 1;
        }
        log::write(log::Level::Info, &format!("kept {kept} KiB"));
        Ok(root)
    }
}

guest!(FillsTheState);
