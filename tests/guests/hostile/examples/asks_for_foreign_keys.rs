//! Tries the names under which others may keep their keys.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, LeafRequest, ca, guest, keys, log};

struct AsksForForeignKeys;

impl Guest for AsksForForeignKeys {
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let names = [
            "",
            "ca",
            "PrivateKey",
            "../root",
            "builtin/root",
            "leaf",
            "root\0",
        ];
        let found = names
            .iter()
            .filter(|name| keys::open(name).is_some())
            .count();
        log::write(log::Level::Info, &format!("found {found} keys"));
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }
}

guest!(AsksForForeignKeys);
