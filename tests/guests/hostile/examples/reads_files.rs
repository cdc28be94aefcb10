//! Looks for files.
#![cfg(target_family = "wasm")]

use std::fs;

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, log};

struct ReadsFiles;

impl Guest for ReadsFiles {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let found = ["/etc/passwd", "/proc/self/environ", ".", "/", "config.hcl"]
            .iter()
            .filter(|path| fs::read(path).is_ok() || fs::read_dir(path).is_ok())
            .count();
        let written = fs::write("/tmp/hostile", b"x").is_ok();
        log::write(
            log::Level::Info,
            &format!("found {found} files, written: {written}"),
        );
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(ReadsFiles);
