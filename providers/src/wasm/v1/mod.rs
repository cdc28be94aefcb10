//! `chancery:ca@1`: the only module that knows the types of the interface.
//!
//! What comes from a plugin is made into this crate's types here or refused; what goes to one is
//! taken from them. Signatures and the policy are the guard's to check.

mod answer;
mod bindings;
mod calls;
mod imports;
mod instance;
mod optional;
mod request;

use std::future::Future;
use std::pin::Pin;

pub(crate) use self::answer::{About, Intermediate};
pub(crate) use self::calls::{
    accept_intermediate, check, clean_up, configure, cross_sign, describe, findings, intermediate,
    nothing, root, sign_intermediate, sign_leaf,
};
pub(crate) use self::instance::{Instance, Prepared};
pub(crate) use self::request::Configuration;
use crate::ProviderError;

/// A trap, or what the plugin answered, or its refusal.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, ProviderError>>;

/// A call with all it hands over.
pub(crate) type Call<T> = Box<
    dyn for<'i> FnOnce(&'i mut Instance) -> Pin<Box<dyn Future<Output = Answer<T>> + Send + 'i>>
        + Send,
>;
