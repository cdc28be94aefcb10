//! A certificate authority for [Chancery](https://github.com/chancery-mesh/chancery) as a plugin:
//! a WebAssembly component that implements the interface `chancery:ca`.
//!
//! A plugin is a library crate of type `cdylib` that implements [`Ca`] and says [`export!`].
//! `cargo build --target wasm32-wasip2 --release` makes the component.
//!
//! ```
//! use chancery_plugin::{
//!     Ca, Certificate, Config, ConfigureError, Description, Error, Issuer, KeyType, LeafRequest,
//!     RootRequest, certificate, keys, state,
//! };
//!
//! struct MyCa;
//!
//! impl Ca for MyCa {
//!     fn describe() -> Description {
//!         Description::new("my-ca", "0.1.0", "a CA whose root signs leafs").keys(KeyType::ALL)
//!     }
//!
//!     fn configure(_config: Config) -> Result<Self, ConfigureError> {
//!         Ok(Self)
//!     }
//!
//!     fn root(&mut self, request: RootRequest) -> Result<Certificate, Error> {
//!         if let Some(root) = state::value("root").filter(|_| !request.renew) {
//!             return Ok(Certificate::from_der(root));
//!         }
//!         keys::remove("root")?;
//!         let key = keys::generate("root", request.template.key)?;
//!         let root = certificate::root(&key, &request.template)?;
//!         state::set("root", &root)?;
//!         Ok(root)
//!     }
//!
//!     fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
//!         let root = state::value("root").map(Certificate::from_der);
//!         let (Some(root), Some(key)) = (root, keys::open("root")) else {
//!             return Err(Error::refused("there is no root yet"));
//!         };
//!         Issuer::new(root, key)?.leaf(&request)
//!     }
//! }
//!
//! chancery_plugin::export!(MyCa);
//! # fn main() {}
//! ```
//!
//! | a plugin uses | for |
//! |---|---|
//! | [`keys`] | private keys that the host makes, keeps and signs with |
//! | [`state`] | what it remembers |
//! | [`certificate`], [`Issuer`] | reading and writing certificates |
//! | [`http`] | a CA elsewhere |
//! | [`log`], [`clock`] | lines in the agent's log, the time of day |
//! | `testing` | its own unit tests, which run without WebAssembly |

#![forbid(unsafe_code)]

#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod bindings;
mod ca;
pub mod certificate;
pub mod clock;
mod config;
mod description;
mod error;
mod finding;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
mod host;
pub mod http;
mod key;
pub mod keys;
pub mod log;
mod request;
pub mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use self::ca::Ca;
pub use self::certificate::{Certificate, Issuer};
pub use self::clock::Timestamp;
pub use self::config::{Config, FromOption, OptionValue, Options};
pub use self::description::{Capabilities, Description, OptionKind, OptionSpec};
pub use self::error::{ConfigureError, Error, ErrorKind};
pub use self::finding::{Finding, Stops};
pub use self::key::{Key, KeyType};
pub use self::request::{
    CleanUpRequest, CleanUpScope, CrossSignRequest, ExtendedKeyUsage, IntermediateAnswer,
    IntermediateRequest, IntermediateTemplate, KeyUsages, LeafRequest, LeafTemplate, RootRequest,
    RootTemplate, SignIntermediateRequest, Validity,
};

/// Makes the crate a plugin whose CA is the type that is named: `chancery_plugin::export!(MyCa);`
///
/// On a machine of one's own, where unit tests run, it does nothing.
#[cfg(target_family = "wasm")]
#[macro_export]
macro_rules! export {
    ($ca:ty) => {
        const _: () = {
            type Exported = $crate::guest::Guest<$ca>;
    $crate::bindings::export_provider!(Exported with_types_in $crate::bindings);
        };
    };
}

/// Makes the crate a plugin whose CA is the type that is named: `chancery_plugin::export!(MyCa);`
///
/// On a machine of one's own, where unit tests run, it does nothing.
#[cfg(not(target_family = "wasm"))]
#[macro_export]
macro_rules! export {
    ($ca:ty) => {
        const _: () = {
            const fn is_a_ca<T: $crate::Ca + 'static>() {}
            is_a_ca::<$ca>();
        };
    };
}
