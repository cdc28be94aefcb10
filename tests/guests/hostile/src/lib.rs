//! Plugins that do what no plugin should: one file of `examples/` each, built for
//! `wasm32-wasip2` by the tests that run them.
//!
//! All stand on one honest CA, `Guest`'s default methods, and differ from it in the one thing
//! that their name says. Without the target there is nothing here, so that the workspace builds.
#![cfg(target_family = "wasm")]
#![expect(
    clippy::expect_used,
    reason = "what an honest CA cannot do here, no test of a hostile one should hide"
)]

#[expect(
    missing_docs,
    clippy::exhaustive_enums,
    clippy::exhaustive_structs,
    clippy::or_fun_call,
    clippy::use_self,
    reason = "generated"
)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../../../plugins/wit",
        world: "plugin-with-findings",
        pub_export_macro: true,
        default_bindings_module: "hostile_guests::bindings",
    });
}
pub mod ca;
pub mod der;
pub mod http;

pub use bindings::chancery::ca::types::{Error, ErrorKind, KeyType, Validity};
pub use bindings::chancery::ca::{clock, keys, log, state};
pub use bindings::exports::chancery::ca::findings::{Finding, Stops};
pub use bindings::exports::chancery::ca::provider::{
    Capabilities, CleanUpScope, Config, ConfigureError, CrossSignRequest, Description,
    IntermediateAnswer, IntermediateRequest, LeafRequest, OptionKind, OptionSpec, OptionValue,
    RootRequest, SignIntermediateRequest,
};

/// A certificate in DER.
pub type Certificate = Vec<u8>;

/// What a guest answers: an honest CA's answers, where it does not say otherwise.
pub trait Guest {
    /// What it claims to be.
    #[must_use]
    fn describe() -> Description {
        ca::description()
    }

    /// What it makes of its options.
    ///
    /// # Errors
    /// What it dislikes.
    fn configure(config: Config) -> Result<Capabilities, ConfigureError> {
        http::remember(config);
        Ok(Self::describe().capabilities)
    }

    /// Whether it works.
    ///
    /// # Errors
    /// Why not.
    fn check() -> Result<(), Error> {
        Ok(())
    }

    /// Its root.
    ///
    /// # Errors
    /// Why there is none.
    fn root(request: RootRequest) -> Result<Certificate, Error> {
        Ok(ca::root(&request))
    }

    /// A leaf.
    ///
    /// # Errors
    /// Why there is none.
    fn sign_leaf(request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        Ok(vec![ca::Leaf::wanted(&request).sign()])
    }

    /// What will stop working.
    #[must_use]
    fn findings() -> Vec<Finding> {
        Vec::new()
    }

    /// The end.
    ///
    /// # Errors
    /// Why it is none.
    fn clean_up(_scope: CleanUpScope, _keep: Vec<Certificate>) -> Result<(), Error> {
        Ok(())
    }
}

/// What a guest without a capability says.
#[must_use]
pub fn refused() -> Error {
    Error {
        kind: ErrorKind::Refused,
        message: "not one of its capabilities".to_owned(),
        retry_after: None,
    }
}

/// Makes a [`Guest`] the component's provider.
#[macro_export]
macro_rules! guest {
    ($guest:ty) => {
        struct Component;

        impl $crate::bindings::exports::chancery::ca::provider::Guest for Component {
            fn describe() -> $crate::Description {
                <$guest as $crate::Guest>::describe()
            }
            fn configure(
                config: $crate::Config,
            ) -> Result<$crate::Capabilities, $crate::ConfigureError> {
                <$guest as $crate::Guest>::configure(config)
            }
            fn check() -> Result<(), $crate::Error> {
                <$guest as $crate::Guest>::check()
            }
            fn root(request: $crate::RootRequest) -> Result<$crate::Certificate, $crate::Error> {
                <$guest as $crate::Guest>::root(request)
            }
            fn intermediate(
                _: $crate::IntermediateRequest,
            ) -> Result<$crate::IntermediateAnswer, $crate::Error> {
                Err($crate::refused())
            }
            fn accept_intermediate(_: Vec<$crate::Certificate>) -> Result<(), $crate::Error> {
                Err($crate::refused())
            }
            fn sign_leaf(
                request: $crate::LeafRequest,
            ) -> Result<Vec<$crate::Certificate>, $crate::Error> {
                <$guest as $crate::Guest>::sign_leaf(request)
            }
            fn sign_intermediate(
                _: $crate::SignIntermediateRequest,
            ) -> Result<$crate::Certificate, $crate::Error> {
                Err($crate::refused())
            }
            fn cross_sign(
                _: $crate::CrossSignRequest,
            ) -> Result<$crate::Certificate, $crate::Error> {
                Err($crate::refused())
            }
            fn clean_up(
                scope: $crate::CleanUpScope,
                keep: Vec<$crate::Certificate>,
            ) -> Result<(), $crate::Error> {
                <$guest as $crate::Guest>::clean_up(scope, keep)
            }
        }

        impl $crate::bindings::exports::chancery::ca::findings::Guest for Component {
            fn report() -> Vec<$crate::Finding> {
                <$guest as $crate::Guest>::findings()
            }
        }

        $crate::bindings::export!(Component with_types_in $crate::bindings);
    };
}
