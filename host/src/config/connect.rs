//! `connect { … }`: whether there is a mesh, and who signs for it.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery_core::{GoDuration, Secret};
use serde_json::Map;

use super::hcl::{Object, Value, ValueKind};
use super::read::{Reader, same_key};
use super::suggestion;

/// Who signs, and with which settings.
///
/// Read only when no CA exists in the state yet, as in Consul.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CaSettings {
    /// The provider's name: `consul` is the built-in one.
    pub provider: String,
    /// Its settings.
    pub config: CaConfig,
}

impl Default for CaSettings {
    fn default() -> Self {
        Self {
            provider: BUILT_IN.to_owned(),
            config: CaConfig::default(),
        }
    }
}

/// A provider's settings under the names that Consul's API has for them (`LeafCertTTL`).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CaConfig {
    /// What anybody may see.
    pub settings: Map<String, serde_json::Value>,
    /// What nobody may see: `Token`, `PrivateKey`, and `AuthMethod.Params` as JSON.
    pub secrets: BTreeMap<String, Secret>,
}

impl CaConfig {
    fn from_object(object: &Object) -> Self {
        let mut config = Self::default();
        for entry in object {
            let name = api_name(&entry.key);
            match &entry.value.kind {
                ValueKind::Text(text) if SECRETS.contains(&name.as_str()) => {
                    let secret = Secret::new(text.clone().into_bytes());
                    config.secrets.insert(name, secret);
                }
                // A secret of the wrong sort was refused; it must not be shown as a setting.
                _ if SECRETS.contains(&name.as_str()) => {}
                ValueKind::Object(method) if name == "AuthMethod" => {
                    let open = config.auth_method(method);
                    config.settings.insert(name, open.into());
                }
                _ => {
                    config.settings.insert(name, entry.value.to_json());
                }
            }
        }
        config
    }

    /// Takes the parameters of an authentication method away from what may be shown.
    fn auth_method(&mut self, method: &Object) -> Map<String, serde_json::Value> {
        let mut open = Map::new();
        for entry in method {
            let name = AUTH_METHOD
                .iter()
                .find(|known| same_key(known, &entry.key))
                .map_or_else(|| entry.key.clone(), |known| (*known).to_owned());
            if name == "Params" {
                let params = entry.value.to_json().to_string().into_bytes();
                self.secrets
                    .insert("AuthMethod.Params".to_owned(), Secret::new(params));
            } else {
                open.insert(name, entry.value.to_json());
            }
        }
        open
    }
}

/// Reads `ca_provider`.
pub(super) fn provider(reader: &mut Reader<'_, '_>) -> Option<String> {
    let name = reader.text("ca_provider")?;
    if PROVIDERS.contains(&name.as_str()) {
        return Some(name);
    }
    let found = super::hcl::quoted(&name);
    let reason = format!("found {found}, allowed are \"consul\" (the built-in one) and \"vault\"");
    reader.refuse("ca_provider", reason);
    None
}

/// Reads `ca_config { … }` and checks what every provider understands.
pub(super) fn ca_config(reader: &mut Reader<'_, '_>) -> Option<CaConfig> {
    let object = reader.object("ca_config", "map[string]interface {}")?;
    let checked = !skips_checks(object);
    let mut leaf = LEAF_DEFAULT;
    for entry in object {
        let name = api_name(&entry.key);
        match name.as_str() {
            "LeafCertTTL" | "PrivateKeyType" | "PrivateKeyBits" if !checked => {}
            "LeafCertTTL" => {
                if let Some(span) = span(reader, &name, &entry.value, LEAF_LEAST..=LEAF_MOST) {
                    leaf = span;
                }
            }
            "PrivateKeyType" => choice(reader, &name, &entry.value, &["ec", "rsa"]),
            "PrivateKeyBits" => key_bits(reader, object, &entry.value),
            _ if SECRETS.contains(&name.as_str()) && entry.value.as_text().is_none() => {
                let found = entry.value.describe_sort();
                let reason = format!("{name}: found {found}, expected a text in double quotes");
                reader.refuse_at("ca_config", entry.value.position, reason);
            }
            _ => unknown_name(reader, &entry.key, entry.position),
        }
    }
    let intermediate = object
        .iter()
        .find(|entry| checked && api_name(&entry.key) == "IntermediateCertTTL");
    if let Some(entry) = intermediate {
        let least = leaf.saturating_mul(3).max(INTERMEDIATE_LEAST);
        span(reader, "IntermediateCertTTL", &entry.value, least..=LONGEST);
    }
    Some(CaConfig::from_object(object))
}

/// Consul's undocumented `SkipValidate`: for tests that want a leaf to live ten seconds.
fn skips_checks(object: &Object) -> bool {
    object.iter().any(|entry| {
        api_name(&entry.key) == "SkipValidate" && entry.value.kind == ValueKind::Boolean(true)
    })
}

fn span(
    reader: &mut Reader<'_, '_>,
    name: &str,
    value: &Value,
    range: std::ops::RangeInclusive<Duration>,
) -> Option<Duration> {
    let allowed = format!(
        "a duration from {} to {}",
        GoDuration::from(*range.start()),
        GoDuration::from(*range.end())
    );
    let parsed = value.as_text().and_then(|text| {
        let span = GoDuration::parse(text).ok()?.to_std()?;
        range.contains(&span).then_some(span)
    });
    if parsed.is_none() {
        let found = value.describe();
        let reason = format!("{name}: found {found}, allowed is {allowed}");
        reader.refuse_at("ca_config", value.position, reason);
    }
    parsed
}

fn choice(reader: &mut Reader<'_, '_>, name: &str, value: &Value, allowed: &[&str]) {
    if value.as_text().is_some_and(|text| allowed.contains(&text)) {
        return;
    }
    let found = value.describe();
    let allowed = allowed.join("\" or \"");
    let reason = format!("{name}: found {found}, allowed is \"{allowed}\"");
    reader.refuse_at("ca_config", value.position, reason);
}

fn key_bits(reader: &mut Reader<'_, '_>, object: &Object, value: &Value) {
    let rsa = object.iter().any(|entry| {
        api_name(&entry.key) == "PrivateKeyType" && entry.value.as_text() == Some("rsa")
    });
    let (sort, allowed): (&str, &[i64]) = if rsa {
        ("rsa", &[2048, 4096])
    } else {
        ("ec", &[256, 384, 521])
    };
    if matches!(value.kind, ValueKind::Integer(bits) if allowed.contains(&bits)) {
        return;
    }
    let listed: Vec<String> = allowed.iter().map(ToString::to_string).collect();
    let reason = format!(
        "PrivateKeyBits: found {}, allowed for {sort} keys are {}",
        value.describe(),
        listed.join(", ")
    );
    reader.refuse_at("ca_config", value.position, reason);
}

/// A setting that no provider of ours knows passes, as in Consul, but never in silence.
fn unknown_name(reader: &mut Reader<'_, '_>, key: &str, position: super::hcl::Position) {
    if NAMES.iter().any(|(_, file)| same_key(file, key)) {
        return;
    }
    let files: Vec<&'static str> = NAMES.iter().map(|(_, file)| *file).collect();
    let shown = super::hcl::quoted(key);
    let text = match suggestion::nearest(key, &files) {
        Some(nearest) => format!("{shown} is no setting of a provider, did you mean {nearest:?}?"),
        None => format!("{shown} is no setting of a provider and is handed on as it is"),
    };
    reader.remark("ca_config", position, text);
}

fn api_name(key: &str) -> String {
    NAMES
        .iter()
        .find(|(_, file)| same_key(file, key))
        .map_or_else(|| key.to_owned(), |(api, _)| (*api).to_owned())
}

const BUILT_IN: &str = "consul";
const PROVIDERS: [&str; 2] = [BUILT_IN, "vault"];
const SECRETS: [&str; 2] = ["PrivateKey", "Token"];
const AUTH_METHOD: [&str; 3] = ["MountPath", "Params", "Type"];

const HOUR: u64 = 3600;
const LEAF_LEAST: Duration = Duration::from_secs(HOUR);
const LEAF_MOST: Duration = Duration::from_secs(8760 * HOUR);
const LEAF_DEFAULT: Duration = Duration::from_secs(72 * HOUR);
const INTERMEDIATE_LEAST: Duration = Duration::from_secs(3 * HOUR);
/// A hundred years: what a certificate can say and Go's durations can hold.
const LONGEST: Duration = Duration::from_secs(876_000 * HOUR);

/// The settings of all providers: the API's name and the file's.
const NAMES: &[(&str, &str)] = &[
    ("Address", "address"),
    ("AuthMethod", "auth_method"),
    ("CAFile", "ca_file"),
    ("CAPath", "ca_path"),
    ("CSRMaxConcurrent", "csr_max_concurrent"),
    ("CSRMaxPerSecond", "csr_max_per_second"),
    ("CertFile", "cert_file"),
    ("ClusterID", "cluster_id"),
    ("DeleteOnExit", "delete_on_exit"),
    ("ExistingARN", "existing_arn"),
    ("IntermediateCertTTL", "intermediate_cert_ttl"),
    ("IntermediatePKINamespace", "intermediate_pki_namespace"),
    ("IntermediatePKIPath", "intermediate_pki_path"),
    ("KeyFile", "key_file"),
    ("LeafCertTTL", "leaf_cert_ttl"),
    ("Namespace", "namespace"),
    ("PrivateKey", "private_key"),
    ("PrivateKeyBits", "private_key_bits"),
    ("PrivateKeyType", "private_key_type"),
    ("RootCert", "root_cert"),
    ("RootCertTTL", "root_cert_ttl"),
    ("RootPKINamespace", "root_pki_namespace"),
    ("RootPKIPath", "root_pki_path"),
    ("RotationPeriod", "rotation_period"),
    ("SkipValidate", "skip_validate"),
    ("TLSServerName", "tls_server_name"),
    ("TLSSkipVerify", "tls_skip_verify"),
    ("Token", "token"),
];
