//! A host in memory, so that a plugin's own unit tests run by plain `cargo test`, without
//! WebAssembly.
//!
//! ```
//! use chancery_plugin::testing::{self, Host};
//! # use chancery_plugin::testing::Nothing as MyCa;
//!
//! let host = Host::<MyCa>::new().option("greeting", "hello");
//! let root = host.root(testing::root_request(1)).unwrap_err();
//! assert_eq!(root.message(), "hello");
//! ```
//!
//! It does what the agent does as far as a plugin can tell: options are checked against the
//! description, every call comes to a fresh instance (so that a plugin that relies on its memory
//! shows), and what a call has written is kept only if it succeeds and may write. What it does
//! not do: check the certificates against the policy as `chancery plugin test` does, and limit
//! time and memory.

mod held_key;
mod host;
pub(crate) mod imports;
mod options;
mod requests;
mod table;

pub use self::host::Host;
pub use self::requests::{
    NOW, Subject, TRUST_DOMAIN, clean_up_request, cross_sign_request, intermediate_request,
    leaf_request, root_request, sign_intermediate_request, verify,
};

use crate::{
    Ca, Certificate, Config, ConfigureError, Description, Error, LeafRequest, OptionSpec,
    RootRequest,
};

/// A CA that does nothing, for trying the host itself.
#[derive(Debug)]
pub struct Nothing(String);

impl Ca for Nothing {
    fn describe() -> Description {
        let greeting = OptionSpec::text("greeting", "what it says").default_value("nothing");
        Description::new("nothing", "0", "a CA that refuses everything").option(greeting)
    }

    fn configure(config: Config) -> Result<Self, ConfigureError> {
        config.options.read("greeting").map(Self)
    }

    fn root(&mut self, _request: RootRequest) -> Result<Certificate, Error> {
        Err(Error::refused(self.0.as_str()))
    }

    fn sign_leaf(&mut self, _request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        Err(Error::refused(self.0.as_str()))
    }
}

#[cfg(test)]
mod tests;
