//! Certificate authority providers for Chancery.
//!
//! A provider is what signs: the built-in CA, or another behind the same trait. It is hostile
//! by assumption: what a certificate shall say is decided outside, and the guard around every
//! provider checks what came back.
#![deny(unsafe_code)]

#[cfg(feature = "builtin")]
mod builtin;
#[cfg(feature = "builtin")]
pub mod conformance;
mod error;
mod guard;
mod options;
mod provider;
mod registry;
mod request;
mod template;

#[cfg(feature = "builtin")]
pub use builtin::BuiltIn;
pub use error::{ErrorKind, FailedCall, ProviderError};
pub use guard::{Deadlines, Guard, GuardSettings, Limits};
pub use options::{CaOptions, DecodedOptions, OptionMap, SecretOptions, split_secrets};
pub use provider::CaProvider;
pub use registry::{create, names, signature_check};
pub use request::{
    AcceptIntermediateRequest, Capabilities, ConfigureRequest, CrossSignRequest, Description,
    ExtendedKeyUsage, IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec,
    KeyUsage, LeafRequest, LeafTemplate, Operation, OperationId, RootAnswer, RootRequest,
    RootTemplate, SerialNumber, SignIntermediateRequest, Validity,
};
