//! Makes more keys than it may.
#![cfg(target_family = "wasm")]

use hostile_guests::{Certificate, Error, Guest, KeyType, RootRequest, ca, guest, keys, log};

struct MakesAThousandKeys;

impl Guest for MakesAThousandKeys {
    fn root(request: RootRequest) -> Result<Certificate, Error> {
        let root = ca::root(&request);
        let made = (0..1_000)
            .filter(|key| keys::generate(&format!("key-{key}"), KeyType::EcP256).is_ok())
            .count();
        log::write(log::Level::Info, &format!("made {made} keys"));
        Ok(root)
    }
}

guest!(MakesAThousandKeys);
