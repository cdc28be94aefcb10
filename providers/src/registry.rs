//! The list of providers. A new one is a folder and a line here.

use std::path::PathBuf;

use chancery_core::SignatureCheck;

use crate::{CaProvider, ErrorKind, OptionMap, ProviderError, SecretOptions};

/// Folders of this machine that the operator has given to providers. The default is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the host writes it out in full: a new field must be decided there"
)]
pub struct Surroundings {
    /// Where plugins are found by name.
    pub plugin_dir: Option<PathBuf>,
    /// Where compiled plugins are kept, private to its owner; made when it is needed. Without it
    /// nothing is kept.
    pub cache_dir: Option<PathBuf>,
}

/// One kind of provider: the name that selects it, and how an empty one is made.
struct Entry {
    name: &'static str,
    /// Whether its leafs' signatures are verified. Only code of this program is spared that.
    signatures: SignatureCheck,
    make: fn(&Surroundings) -> Box<dyn CaProvider>,
    /// Checks its options as far as that needs nobody else.
    check: fn(&OptionMap, &SecretOptions) -> Result<(), ProviderError>,
}

const PROVIDERS: &[Entry] = &[
    #[cfg(feature = "builtin")]
    Entry {
        name: crate::builtin::NAME,
        signatures: SignatureCheck::ParseOnly,
        make: |_| Box::new(crate::BuiltIn::new()),
        check: crate::builtin::check_options,
    },
    #[cfg(feature = "vault")]
    Entry {
        name: crate::vault::NAME,
        signatures: SignatureCheck::Verify,
        make: |_| Box::new(crate::Vault::new()),
        check: crate::vault::check_options,
    },
    #[cfg(feature = "wasm")]
    Entry {
        name: crate::wasm::NAME,
        signatures: SignatureCheck::Verify,
        make: |surroundings| Box::new(crate::Wasm::new(surroundings.clone())),
        check: crate::wasm::check_options,
    },
];

/// Makes an empty, not yet configured provider of the kind `name`, which is given nothing of this
/// machine.
///
/// # Errors
/// As [`create_in`].
pub fn create(name: &str) -> Result<Box<dyn CaProvider>, ProviderError> {
    create_in(name, &Surroundings::default())
}

/// Makes an empty, not yet configured provider of the kind `name`.
///
/// # Errors
/// `Misconfigured` with Consul's text, `unknown CA provider "nope"`.
pub fn create_in(
    name: &str,
    surroundings: &Surroundings,
) -> Result<Box<dyn CaProvider>, ProviderError> {
    PROVIDERS
        .iter()
        .find(|entry| entry.name == name)
        .map(|entry| (entry.make)(surroundings))
        .ok_or_else(|| {
            ProviderError::new(
                ErrorKind::Misconfigured,
                format!("unknown CA provider {name:?}"),
            )
        })
}

/// What the provider `name` itself finds wrong with these options, without reaching its backend
/// and without opening a file.
///
/// # Errors
/// As [`CaProvider::configure`]: the first thing that is wrong, in Consul's order.
pub fn check_options(
    name: &str,
    options: &OptionMap,
    secrets: &SecretOptions,
) -> Result<(), ProviderError> {
    let entry = PROVIDERS.iter().find(|entry| entry.name == name);
    entry.map_or_else(
        || create(name).map(drop),
        |entry| (entry.check)(options, secrets),
    )
}

/// How far the guard shall distrust the leafs of the provider `name`.
#[must_use]
pub fn signature_check(name: &str) -> SignatureCheck {
    PROVIDERS
        .iter()
        .find(|entry| entry.name == name)
        .map_or(SignatureCheck::Verify, |entry| entry.signatures)
}

/// The names that [`create`] knows.
pub fn names() -> impl Iterator<Item = &'static str> {
    PROVIDERS.iter().map(|entry| entry.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_name_is_refused_in_consuls_words() {
        let error = create("nope").err().unwrap();
        assert_eq!(error.to_string(), "unknown CA provider \"nope\"");
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }

    #[test]
    fn every_listed_name_makes_a_provider_of_that_name() {
        assert!(names().count() > 0);
        for name in names() {
            assert_eq!(create(name).unwrap().describe().name, name);
        }
    }
}
