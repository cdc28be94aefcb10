//! Named checks that every provider passes, whoever wrote it.
//!
//! ```
//! # use chancery_providers::{BuiltIn, KeySpec, conformance};
//! # async fn example(algorithms: conformance::Algorithms, now: chancery_core::Timestamp) {
//! let setup = conformance::Setup::new(algorithms, now, KeySpec::EcP256);
//! let report = conformance::run(BuiltIn::new, &setup).await;
//! assert!(report.passed(), "{report}");
//! # }
//! ```
//!
//! No check is skipped: what a provider does not claim among its capabilities is asserted to
//! be refused. The provider is asked directly, without a guard, so that a careless one shows.

mod clean_up;
mod cross_sign;
mod errors;
#[cfg(test)]
pub(crate) mod fixture;
mod import;
mod intermediate;
mod leaf;
mod load;
mod renew;
mod report;
mod restart;
mod root;
mod root_csr;
mod rotation;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::Timestamp;
use rustls_pki_types::SignatureVerificationAlgorithm;

pub use self::report::{Check, Report};
use self::stage::Stage;
use crate::{CaProvider, KeySpec, OptionMap, SecretOptions};

/// With what signatures are verified, such as all of rustls' provider.
pub type Algorithms = &'static [&'static dyn SignatureVerificationAlgorithm];

/// What the checks need to know.
#[derive(Clone)]
#[non_exhaustive]
pub struct Setup {
    /// With what signatures are verified.
    pub algorithms: Algorithms,
    /// What time it is; certificates are asked for around it. One that stands still will do
    /// for a CA that takes its dates from the requests, not for one that has its own clock.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// The key to ask for.
    pub key: KeySpec,
    /// Between which kinds of keys to rotate. If empty, between all that the provider claims,
    /// RSA 4096 aside, which takes its time.
    pub rotation_keys: Vec<KeySpec>,
    /// The provider's options. Those for the kind of key are added.
    pub options: OptionMap,
    /// The provider's secret options. They are searched for in every error.
    pub secrets: SecretOptions,
}

impl Setup {
    /// A set-up for a provider that needs no options. For it, it is always `now`.
    #[must_use]
    pub fn new(algorithms: Algorithms, now: Timestamp, key: KeySpec) -> Self {
        Self {
            algorithms,
            clock: Arc::new(move || now),
            key,
            rotation_keys: Vec::new(),
            options: OptionMap::new(),
            secrets: SecretOptions::default(),
        }
    }
}

/// Runs all checks on providers that `make` makes: empty ones, not yet configured.
///
/// Several are made, one after another and beside each other, as at restarts and rotations. One
/// that is configured without a state is meant to be another CA than all before: where a backend
/// keeps CAs apart by an option, such as a path, `make` gives each its own.
pub async fn run<P: CaProvider + 'static>(make: impl Fn() -> P + Sync, setup: &Setup) -> Report {
    let stage = Stage::new(&make, setup);
    let mut report = Report::default();
    root::check(&stage, &mut report).await;
    leaf::check(&stage, &mut report).await;
    load::check(&stage, &mut report).await;
    restart::check(&stage, &mut report).await;
    intermediate::check(&stage, &mut report).await;
    root_csr::check(&stage, &mut report).await;
    cross_sign::check(&stage, &mut report).await;
    renew::check(&stage, &mut report).await;
    rotation::check(&stage, &mut report).await;
    import::check(&stage, &mut report).await;
    clean_up::check(&stage, &mut report).await;
    errors::check(&stage, &mut report).await;
    report.record(
        "errors: no secret is in any error or description",
        stage.leaked(),
    );
    debug_assert_eq!(
        report
            .checks()
            .iter()
            .fold(BTreeMap::new(), |mut names, check| {
                *names.entry(check.name).or_insert(0) += 1;
                names
            })
            .len(),
        report.checks().len(),
        "every check has a name of its own"
    );
    report
}

#[cfg(test)]
mod tests;
