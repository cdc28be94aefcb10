//! Which provider signs, and how long what it signs may live.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Sealed;

/// The configuration of the CA provider, as stored and as Consul's API shows it.
///
/// Values that are secret (a Vault token, a private key) are never in `options`: the host splits
/// them off before anything reaches the core and keeps them in `secrets`, sealed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaConfiguration {
    /// The provider's name: `consul` for the built-in one.
    pub provider: String,
    /// Options as the operator gave them, with Consul's names, secrets left out.
    pub options: Map<String, Value>,
    /// The secret options, sealed together; bound to the provider and address they were given for.
    #[serde(default)]
    pub secrets: Option<Sealed>,
    /// The lives that the core itself must know.
    pub lifetimes: Lifetimes,
    /// Whether the operator said that the next change may go without cross-signing.
    #[serde(default)]
    pub force_without_cross_signing: bool,
    /// Revision at which the configuration was first written.
    pub create_index: u64,
    /// Revision at which it was last written.
    pub modify_index: u64,
}

impl CaConfiguration {
    /// A configuration to be proposed; its indexes are set when it is decided.
    #[must_use]
    pub fn new(provider: &str, options: Map<String, Value>, lifetimes: Lifetimes) -> Self {
        Self {
            provider: provider.to_owned(),
            options,
            secrets: None,
            lifetimes,
            force_without_cross_signing: false,
            create_index: 0,
            modify_index: 0,
        }
    }

    /// Whether both say the same; when they were written does not matter.
    pub(super) fn says_as(&self, other: &Self) -> bool {
        (self.provider == other.provider)
            && (self.options == other.options)
            && (self.secrets == other.secrets)
            && (self.lifetimes == other.lifetimes)
    }
}

/// How long a bundle may be used after it was taken, if `BundleMaxAge` does not say: 7 days.
pub const BUNDLE_MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long certificates live, by kind, and bundles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "there are exactly three kinds of certificates, and one of bundles"
)]
pub struct Lifetimes {
    /// `LeafCertTTL`, 72 h by default.
    pub leaf: Duration,
    /// `IntermediateCertTTL`, 8760 h by default.
    pub intermediate: Duration,
    /// `RootCertTTL`, 87600 h by default.
    pub root: Duration,
    /// `BundleMaxAge`: nobody uses a bundle that was taken longer ago. For so long after a
    /// rotation new leafs verify against what was trusted before.
    #[serde(default = "bundle_max_age", skip_serializing_if = "is_bundle_max_age")]
    pub bundle: Duration,
}

const fn bundle_max_age() -> Duration {
    BUNDLE_MAX_AGE
}

fn is_bundle_max_age(age: &Duration) -> bool {
    *age == BUNDLE_MAX_AGE
}

impl Default for Lifetimes {
    fn default() -> Self {
        const HOUR: u64 = 3600;
        Self {
            leaf: Duration::from_secs(72 * HOUR),
            intermediate: Duration::from_secs(8_760 * HOUR),
            root: Duration::from_secs(87_600 * HOUR),
            bundle: BUNDLE_MAX_AGE,
        }
    }
}
