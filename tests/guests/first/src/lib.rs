//! A plugin for `chancery:ca@1.0.0`, which uses all that was there: an agent of today must take
//! it as it is.
//!
//! `wit` here is the interface as it was first published. It never changes, and this crate is
//! built from it and nothing newer. The CA is the honest one of the hostile guests, as it was.
#![cfg(target_family = "wasm")]
#![expect(
    clippy::expect_used,
    reason = "what an honest CA cannot do here, no test should hide"
)]

mod bindings {
    wit_bindgen::generate!({ path: "wit", world: "plugin" });
}
#[path = "../../hostile/src/ca.rs"]
#[expect(unreachable_pub, reason = "shared with guests that use more of it")]
mod ca;
#[path = "../../hostile/src/der.rs"]
#[expect(unreachable_pub, reason = "shared with guests that use more of it")]
mod der;

use bindings::chancery::ca::log::Level;
use bindings::chancery::ca::types::{Error, ErrorKind, KeyType};
use bindings::chancery::ca::{clock, log, state};
use bindings::exports::chancery::ca::provider::{
    Capabilities, CleanUpScope, Config, ConfigureError, CrossSignRequest, Description, Guest,
    IntermediateAnswer, IntermediateRequest, LeafRequest, RootRequest, SignIntermediateRequest,
};

type Certificate = Vec<u8>;

/// When the root ends, in the state.
const END: &str = "end";
/// Which wish the root was made for, in the state.
const OPERATION: &str = "operation";

struct First;

impl Guest for First {
    fn describe() -> Description {
        Description {
            name: "first-interface".to_owned(),
            about: "a CA that was built for the first interface".to_owned(),
            ..ca::description()
        }
    }

    fn configure(_: Config) -> Result<Capabilities, ConfigureError> {
        let kept = state::keys().len();
        log::write(
            Level::Info,
            &format!("{kept} things kept at {}", clock::now()),
        );
        Ok(Self::describe().capabilities)
    }

    fn check() -> Result<(), Error> {
        Ok(())
    }

    fn root(request: RootRequest) -> Result<Certificate, Error> {
        if request.template.key != KeyType::EcP256 {
            return Err(refused("its only kind of key is ec-p256"));
        }
        // The same wish comes again after a crash: it must not make a second root.
        let operation = request.operation.as_bytes();
        let asked_before = state::get(OPERATION).as_deref() == Some(operation);
        if let Some(root) = state::get(ca::ROOT)
            && (asked_before || !request.renew)
        {
            return Ok(root);
        }
        let root = ca::root(&request);
        let end = request.template.validity.not_after.to_be_bytes();
        state::set(END, &end).expect("there is room");
        state::set(OPERATION, operation).expect("there is room");
        Ok(root)
    }

    fn intermediate(_: IntermediateRequest) -> Result<IntermediateAnswer, Error> {
        Err(refused("not one of its capabilities"))
    }

    fn accept_intermediate(_: Vec<Certificate>) -> Result<(), Error> {
        Err(refused("not one of its capabilities"))
    }

    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let end = state::get(END).and_then(|bytes| bytes.try_into().ok());
        let end = end.map(i64::from_be_bytes);
        let Some(end) = end.filter(|end| request.template.validity.not_before <= *end) else {
            return Err(refused("there is no root, or it has ended"));
        };
        if der::first(&request.public_key).is_none_or(|(_, behind)| !behind.is_empty()) {
            return Err(refused("that is no key"));
        }
        let mut leaf = ca::Leaf::wanted(&request);
        leaf.validity.not_after = leaf.validity.not_after.min(end);
        Ok(vec![leaf.sign()])
    }

    fn sign_intermediate(_: SignIntermediateRequest) -> Result<Certificate, Error> {
        Err(refused("not one of its capabilities"))
    }

    fn cross_sign(_: CrossSignRequest) -> Result<Certificate, Error> {
        Err(refused("not one of its capabilities"))
    }

    fn clean_up(_: CleanUpScope, _: Vec<Certificate>) -> Result<(), Error> {
        Ok(())
    }
}

fn refused(message: &str) -> Error {
    Error {
        kind: ErrorKind::Refused,
        message: message.to_owned(),
        retry_after: None,
    }
}

bindings::export!(First with_types_in bindings);
