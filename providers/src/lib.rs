//! Certificate authority providers for Chancery.
//!
//! A provider is what signs: the built-in CA, or another behind the same trait, [`CaProvider`].
//! It is hostile by assumption: what a certificate shall say is decided by the host (the
//! templates), and the [`Guard`] around every provider checks what came back. This crate reads
//! no configuration file, stores nothing and knows nothing of rotations.
//!
//! ```text
//!  host ── requests: DER, templates ──▶ Guard ──▶ CaProvider ─┬─ built-in
//!       ◀── checked answers, state ──── deadline, retries,    └─ Vault
//!                                       limits, policy
//! ```
//!
//! ```
//! use chancery_providers::{ConfigureRequest, OptionMap, ProviderError, split_secrets};
//! # use chancery_core::{Datacenter, TrustDomain};
//!
//! # async fn example(trust_domain: TrustDomain, datacenter: Datacenter)
//! # -> Result<(), ProviderError> {
//! let (options, secrets) = split_secrets(OptionMap::new());
//! let mut provider = chancery_providers::create("consul")?;
//! provider
//!     .configure(&ConfigureRequest {
//!         trust_domain,
//!         datacenter,
//!         options,
//!         secrets,
//!         state: None,
//!     })
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! | feature | what it adds |
//! |---|---|
//! | `builtin` (default) | the built-in CA, and the conformance kit, which makes its keys with it |
//! | `vault` (default) | HashiCorp Vault or OpenBao as the CA |
//! | `wasm` (default) | a CA that is a WebAssembly component |
#![deny(unsafe_code)]

#[cfg(feature = "builtin")]
mod builtin;
#[cfg(feature = "builtin")]
pub mod conformance;
mod error;
mod finding;
mod guard;
mod key_spec;
mod options;
mod provider;
mod registry;
mod request;
#[cfg(feature = "builtin")]
mod secret_json;
mod template;
#[cfg(feature = "vault")]
mod vault;
#[cfg(feature = "wasm")]
mod wasm;

#[cfg(feature = "builtin")]
pub use builtin::BuiltIn;
pub use error::{ErrorKind, FailedCall, ProviderError};
pub use finding::{Finding, Stops};
pub use guard::{Call, Deadlines, Ending, Guard, GuardSettings, Limits, Observer, Outcome};
pub use key_spec::KeySpec;
pub use options::{
    CaOptions, DecodedOptions, OptionMap, OptionProblem, SecretOptions, check_secrets,
    file_options, option_problems, same_name, split_secrets,
};
pub use provider::CaProvider;
pub use registry::{Surroundings, check_options, create, create_in, names, signature_check};
pub use request::{
    AcceptIntermediateRequest, Capabilities, CleanUpRequest, CleanUpScope, ConfigureRequest,
    CrossSignRequest, Description, ExtendedKeyUsage, IntermediateAnswer, IntermediateRequest,
    IntermediateTemplate, LeafRequest, LeafTemplate, Operation, RootAnswer, RootRequest,
    RootTemplate, SignIntermediateRequest, SignedLeaf, Validity,
};
#[cfg(feature = "vault")]
pub use vault::{Vault, VaultRights, vault_policy};
#[cfg(feature = "wasm")]
pub use wasm::{PluginCounts, PluginFile, PluginOption, PluginStatus, Wasm, plugins};
