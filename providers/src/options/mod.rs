//! The options that every provider shares, read from JSON as Consul reads them.
//!
//! The texts of errors and the order of checks are Consul's, because its clients see them.

mod decode;
mod files;
mod secrets;

use std::time::Duration;

use chancery_core::GoDuration;

pub(crate) use self::decode::Decoder;
pub use self::decode::same_name;
pub use self::files::file_options;
#[cfg(feature = "wasm")]
pub(crate) use self::secrets::CONFIG;
pub(crate) use self::secrets::PARAMS;
pub use self::secrets::{SecretOptions, check_secrets, split_secrets};
use crate::{KeySpec, ProviderError};

/// A provider's options as a user gave them: Consul's names in `CamelCase` or `snake_case`.
pub type OptionMap = serde_json::Map<String, serde_json::Value>;

/// The checked options that every provider shares.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CaOptions {
    /// How long a leaf lives (`LeafCertTTL`, 72h).
    pub leaf_cert_ttl: Duration,
    /// How long an intermediate lives (`IntermediateCertTTL`, 8760h).
    pub intermediate_cert_ttl: Duration,
    /// How long a new root lives (`RootCertTTL`, 87600h).
    pub root_cert_ttl: Duration,
    /// How old a bundle may be that is still used (`BundleMaxAge`, 168h; Chancery's own): for so
    /// long after a rotation new leafs verify against what was trusted before.
    pub bundle_max_age: Duration,
    /// How many leafs may be signed in a second (`CSRMaxPerSecond`, 50); 0 for no limit.
    pub csr_max_per_second: f32,
    /// How many leafs may be signed at once (`CSRMaxConcurrent`, 0 for no limit); counts only
    /// if there is no limit per second.
    pub csr_max_concurrent: usize,
    /// The key to make for roots and intermediates (`PrivateKeyType`, `PrivateKeyBits`). With
    /// type `ed25519`, which Consul does not have, the size does not count.
    pub private_key: KeySpec,
    /// The key that agents make for leafs (`LeafKeyType`, `LeafKeyBits`; ours, EC P-256).
    pub leaf_key: KeySpec,
}

impl CaOptions {
    /// Decodes and checks. Options that are not shared by all providers are passed over.
    ///
    /// # Errors
    /// `Misconfigured`: first everything that cannot be decoded, as one text; else the first
    /// rule that is broken.
    pub fn parse(options: &OptionMap) -> Result<Self, ProviderError> {
        DecodedOptions::decode(options)?.check()
    }
}

/// Something that is wrong with one option.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OptionProblem {
    /// The option by the API's name.
    pub option: String,
    /// What is wrong, in Consul's words where it has any.
    pub text: String,
}

impl OptionProblem {
    pub(crate) fn new(option: &str, text: impl Into<String>) -> Self {
        Self {
            option: option.to_owned(),
            text: text.into(),
        }
    }
}

impl From<OptionProblem> for ProviderError {
    fn from(problem: OptionProblem) -> Self {
        Self::misconfigured(problem.text)
    }
}

/// Everything that is wrong with the options that all providers share: first what cannot be
/// decoded, then the rules that are broken.
#[must_use]
pub fn option_problems(options: &OptionMap) -> Vec<OptionProblem> {
    let mut decoder = Decoder::new(options);
    let decoded = DecodedOptions::read(&mut decoder);
    let mut problems = decoder.problems();
    // What could not be decoded stands at its default here, and breaks no rule itself.
    let broken = decoded.broken_rules().into_iter().filter(|broken| {
        problems
            .iter()
            .all(|problem| problem.option != broken.option)
    });
    let broken: Vec<_> = broken.collect();
    problems.extend(broken);
    problems
}

/// Options of the right types, whose rules are still unchecked.
///
/// Apart from [`CaOptions`] because Consul checks a provider's own options between the two.
#[derive(Clone, Debug, PartialEq)]
pub struct DecodedOptions {
    leaf_cert_ttl: GoDuration,
    intermediate_cert_ttl: GoDuration,
    root_cert_ttl: GoDuration,
    bundle_max_age: GoDuration,
    csr_max_per_second: f32,
    csr_max_concurrent: i64,
    private_key_type: String,
    private_key_bits: i64,
    leaf_key_type: String,
    leaf_key_bits: i64,
    skip_validate: bool,
}

impl DecodedOptions {
    /// Reads the shared options, taking Consul's default for each that is absent or null.
    ///
    /// Types are weak, as in Consul: a duration may be a text or a number of nanoseconds, a
    /// number may be a text.
    ///
    /// # Errors
    /// `Misconfigured`, naming everything that cannot be decoded.
    pub fn decode(options: &OptionMap) -> Result<Self, ProviderError> {
        let mut decoder = Decoder::new(options);
        let decoded = Self::read(&mut decoder);
        decoder.finish()?;
        Ok(decoded)
    }

    fn read(decoder: &mut Decoder<'_>) -> Self {
        Self {
            leaf_cert_ttl: decoder.duration("LeafCertTTL", LEAF_TTL),
            intermediate_cert_ttl: decoder.duration("IntermediateCertTTL", INTERMEDIATE_TTL),
            root_cert_ttl: decoder.duration("RootCertTTL", ROOT_TTL),
            bundle_max_age: decoder.duration("BundleMaxAge", BUNDLE_AGE),
            csr_max_per_second: decoder.float("CSRMaxPerSecond", 50.0),
            csr_max_concurrent: decoder.int("CSRMaxConcurrent", 0),
            private_key_type: decoder.text("PrivateKeyType", "ec"),
            private_key_bits: decoder.int("PrivateKeyBits", 256),
            leaf_key_type: decoder.text("LeafKeyType", "ec"),
            leaf_key_bits: decoder.int("LeafKeyBits", 0),
            skip_validate: decoder.bool("SkipValidate", false),
        }
    }

    /// Applies Consul's rules in Consul's order; `SkipValidate` skips those on durations.
    ///
    /// # Errors
    /// `Misconfigured` with the first rule that is broken.
    pub fn check(&self) -> Result<CaOptions, ProviderError> {
        if let Some(problem) = self.broken_durations().into_iter().next() {
            return Err(problem.into());
        }
        Ok(CaOptions {
            leaf_cert_ttl: length("LeafCertTTL", self.leaf_cert_ttl)?,
            intermediate_cert_ttl: length("IntermediateCertTTL", self.intermediate_cert_ttl)?,
            root_cert_ttl: length("RootCertTTL", self.root_cert_ttl)?,
            bundle_max_age: length("BundleMaxAge", self.bundle_max_age)?,
            private_key: self.private_key()?,
            leaf_key: self.leaf_key()?,
            // Consul takes a negative limit for none.
            csr_max_per_second: self.csr_max_per_second.max(0.0),
            csr_max_concurrent: usize::try_from(self.csr_max_concurrent).unwrap_or(0),
        })
    }

    /// Every rule that is broken, in Consul's order.
    fn broken_rules(&self) -> Vec<OptionProblem> {
        let mut broken = self.broken_durations();
        if self.skip_validate {
            let lengths = [
                length("LeafCertTTL", self.leaf_cert_ttl),
                length("IntermediateCertTTL", self.intermediate_cert_ttl),
                length("RootCertTTL", self.root_cert_ttl),
                length("BundleMaxAge", self.bundle_max_age),
            ];
            broken.extend(lengths.into_iter().filter_map(Result::err));
        }
        broken.extend(self.private_key().err());
        broken.extend(self.leaf_key().err());
        broken
    }

    /// The rules on how long something lives. One that follows from another's breach is left out.
    fn broken_durations(&self) -> Vec<OptionProblem> {
        let mut broken = Vec::new();
        if self.skip_validate {
            return broken;
        }
        let (leaf, intermediate) = (self.leaf_cert_ttl, self.intermediate_cert_ttl);
        // An absurd leaf saturates, and is refused for itself.
        let three_leafs = GoDuration::from_nanos(leaf.as_nanos().saturating_mul(3));
        let mut refuse = |option: &str, text: String| broken.push(OptionProblem::new(option, text));
        let leaf_is_good = if leaf < hours(1) {
            let least = hours(1);
            let text = format!("leaf cert TTL must be greater or equal than {least}");
            refuse("LeafCertTTL", text);
            false
        } else if leaf > hours(8760) {
            let text = format!("leaf cert TTL must be less than {}", hours(8760));
            refuse("LeafCertTTL", text);
            false
        } else {
            true
        };
        if intermediate < hours(3) {
            let text = "Intermediate Cert TTL must be greater or equal than 3h";
            refuse("IntermediateCertTTL", text.to_owned());
        } else if leaf_is_good && intermediate < three_leafs {
            let text = format!(
                "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL \
                 (>={three_leafs})."
            );
            refuse("IntermediateCertTTL", text);
        }
        if self.root_cert_ttl <= intermediate {
            let root = self.root_cert_ttl;
            let text = format!(
                "root cert TTL is set and is not greater than intermediate cert ttl. \
                 root cert ttl: {root}, intermediate cert ttl: {intermediate}"
            );
            refuse("RootCertTTL", text);
        }
        if self.bundle_max_age < hours(1) {
            let (least, found) = (hours(1), self.bundle_max_age);
            let text = format!("BundleMaxAge must be greater or equal than {least}, is {found}");
            refuse("BundleMaxAge", text);
        }
        broken
    }

    /// Without a size it is the usual one. What agents ask for must pass the policy on requests,
    /// and that has no Ed25519, because Envoy's TLS does not take it.
    fn leaf_key(&self) -> Result<KeySpec, OptionProblem> {
        match (self.leaf_key_type.as_str(), self.leaf_key_bits) {
            ("ec", 0 | 256) => Ok(KeySpec::EcP256),
            ("ec", 384) => Ok(KeySpec::EcP384),
            ("ec", 521) => Ok(KeySpec::EcP521),
            ("ec", bits) => Err(OptionProblem::new(
                "LeafKeyBits",
                format!(
                    "leaf key length is {bits} bits, with type 'ec' it must be one of (256, 384, 521)"
                ),
            )),
            ("rsa", 0 | 2048) => Ok(KeySpec::Rsa2048),
            ("rsa", 4096) => Ok(KeySpec::Rsa4096),
            ("rsa", bits) => Err(OptionProblem::new(
                "LeafKeyBits",
                format!("leaf key length is {bits} bits, with type 'rsa' it must be 2048 or 4096"),
            )),
            (other, _) => Err(OptionProblem::new(
                "LeafKeyType",
                format!("leaf key type is {other:?}, must be either 'ec' or 'rsa'"),
            )),
        }
    }

    fn private_key(&self) -> Result<KeySpec, OptionProblem> {
        match (self.private_key_type.as_str(), self.private_key_bits) {
            ("ec", 224) => Err(OptionProblem::new(
                "PrivateKeyBits",
                "EC key length 224 is not supported, use one of (256, 384, 521) bits",
            )),
            ("ec", 256) => Ok(KeySpec::EcP256),
            ("ec", 384) => Ok(KeySpec::EcP384),
            ("ec", 521) => Ok(KeySpec::EcP521),
            ("ec", _) => Err(OptionProblem::new(
                "PrivateKeyBits",
                "EC key length must be one of (224, 256, 384, 521) bits",
            )),
            ("rsa", 2048) => Ok(KeySpec::Rsa2048),
            ("rsa", 4096) => Ok(KeySpec::Rsa4096),
            // Ours: Consul has no Ed25519. There is one size of it, so none is asked for.
            ("ed25519", _) => Ok(KeySpec::Ed25519),
            ("rsa", _) => Err(OptionProblem::new(
                "PrivateKeyBits",
                "RSA key length must be 2048 or 4096 bits",
            )),
            _ => Err(OptionProblem::new(
                "PrivateKeyType",
                "private key type must be either 'ec' or 'rsa'",
            )),
        }
    }
}

/// Even with `SkipValidate` a certificate must live for some time.
fn length(name: &str, length: GoDuration) -> Result<Duration, OptionProblem> {
    length.positive().ok_or_else(|| {
        OptionProblem::new(name, format!("{name} must be more than 0s, is {length}"))
    })
}

const fn hours(count: i64) -> GoDuration {
    GoDuration::from_nanos(count * 3_600_000_000_000)
}

const LEAF_TTL: GoDuration = hours(72);
const INTERMEDIATE_TTL: GoDuration = hours(8760);
const ROOT_TTL: GoDuration = hours(87_600);
const BUNDLE_AGE: GoDuration = hours(7 * 24);

#[cfg(test)]
mod tests;
