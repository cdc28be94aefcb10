//! `connect { … }`: whether there is a mesh, and who signs for it.

use std::collections::BTreeMap;
use std::path::Path;

use chancery_core::Secret;
use chancery_providers::{check_options, option_problems};
use serde_json::Map;

use super::hcl::{Object, Position, ValueKind};
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
    /// What nobody may see: `Token`, `PrivateKey`, and as JSON `AuthMethod.Params` and a plugin's
    /// own `Config`.
    pub secrets: BTreeMap<String, Secret>,
}

impl CaConfig {
    /// Relative paths of a plugin start at `folder`, the one of the file that names them.
    fn from_object(object: &Object, folder: &Path) -> Self {
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
                // Which of a plugin's own options are secret is known to the plugin alone.
                _ if name == "Config" => {
                    let text = entry.value.to_json().to_string().into_bytes();
                    config.secrets.insert(name, Secret::new(text));
                }
                ValueKind::Text(path) if PLUGIN_FILES.contains(&name.as_str()) => {
                    let path = folder.join(path);
                    config.settings.insert(name, path.to_string_lossy().into());
                }
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
    let mut known: Vec<&str> = chancery_providers::names().collect();
    if known.contains(&name.as_str()) {
        return Some(name);
    }
    known.sort_unstable();
    let found = super::hcl::quoted(&name);
    let allowed = known.join("\", \"");
    let reason =
        format!("found {found}, allowed are \"{allowed}\"; \"consul\" is the built-in one");
    reader.refuse("ca_provider", reason);
    None
}

/// Reads `ca_config { … }` and checks what every provider understands. The rules and their words
/// are the providers' own; what a provider alone asks for is checked once it is known which.
pub(super) fn ca_config(reader: &mut Reader<'_, '_>, folder: &Path) -> Option<CaConfig> {
    let object = reader.object("ca_config", "map[string]interface {}")?;
    for entry in object {
        let name = api_name(&entry.key);
        if SECRETS.contains(&name.as_str()) {
            if entry.value.as_text().is_none() {
                let found = entry.value.describe_sort();
                let reason = format!("{name}: found {found}, expected a text in double quotes");
                reader.refuse_at("ca_config", entry.value.position, reason);
            }
        } else {
            unknown_name(reader, &entry.key, entry.position);
        }
    }
    let config = CaConfig::from_object(object, folder);
    for problem in option_problems(&config.settings) {
        let entry = object
            .iter()
            .find(|entry| api_name(&entry.key) == problem.option);
        let (position, reason) = match entry {
            Some(entry) => {
                let (name, found) = (&problem.option, entry.value.describe());
                let reason = format!("{name}: found {found}: {}", problem.text);
                (entry.value.position, reason)
            }
            // It is the default that does not go with what is said.
            None => (
                reader.position("ca_config").unwrap_or(Position::START),
                problem.text,
            ),
        };
        reader.refuse_at("ca_config", position, reason);
    }
    Some(config)
}

/// What the provider itself finds wrong, beyond what all of them check.
pub(super) fn provider_problem(provider: &str, config: &CaConfig) -> Option<String> {
    if !option_problems(&config.settings).is_empty() {
        return None;
    }
    let secrets = config.secrets.clone().into_iter().collect();
    let error = check_options(provider, &config.settings, &secrets).err()?;
    Some(format!("connect.ca_config: {error}"))
}

/// A setting that no provider of ours knows passes, as in Consul, but never in silence.
fn unknown_name(reader: &mut Reader<'_, '_>, key: &str, position: Position) {
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

pub(super) const BUILT_IN: &str = "consul";
const SECRETS: [&str; 2] = ["PrivateKey", "Token"];
/// Files that are looked for beside the configuration file.
const PLUGIN_FILES: [&str; 2] = ["HTTPCAFile", "Path"];
const AUTH_METHOD: [&str; 3] = ["MountPath", "Params", "Type"];

/// The settings of all providers: the API's name and the file's.
const NAMES: &[(&str, &str)] = &[
    ("Address", "address"),
    ("AllowHTTP", "allow_http"),
    ("AuthMethod", "auth_method"),
    ("BundleMaxAge", "bundle_max_age"),
    ("CAFile", "ca_file"),
    ("CAPath", "ca_path"),
    ("CSRMaxConcurrent", "csr_max_concurrent"),
    ("CSRMaxPerSecond", "csr_max_per_second"),
    ("CertFile", "cert_file"),
    ("ClusterID", "cluster_id"),
    ("Config", "config"),
    ("DeleteOnExit", "delete_on_exit"),
    ("DisableCrossSigning", "disable_cross_signing"),
    ("ExistingARN", "existing_arn"),
    ("ExternalIntermediate", "external_intermediate"),
    ("HTTPCAFile", "http_ca_file"),
    ("IntermediateCertTTL", "intermediate_cert_ttl"),
    ("IntermediatePKINamespace", "intermediate_pki_namespace"),
    ("IntermediatePKIPath", "intermediate_pki_path"),
    ("KeyFile", "key_file"),
    ("LeafCertTTL", "leaf_cert_ttl"),
    ("LeafKeyBits", "leaf_key_bits"),
    ("LeafKeyType", "leaf_key_type"),
    ("MaxMemory", "max_memory"),
    ("MaxState", "max_state"),
    ("Namespace", "namespace"),
    ("Path", "path"),
    ("Plugin", "plugin"),
    ("PrivateKey", "private_key"),
    ("PrivateKeyBits", "private_key_bits"),
    ("PrivateKeyType", "private_key_type"),
    ("RootCert", "root_cert"),
    ("RootCertTTL", "root_cert_ttl"),
    ("RootPKINamespace", "root_pki_namespace"),
    ("RootPKIPath", "root_pki_path"),
    ("RotationPeriod", "rotation_period"),
    ("SHA256", "sha256"),
    ("SkipValidate", "skip_validate"),
    ("TLSServerName", "tls_server_name"),
    ("TLSSkipVerify", "tls_skip_verify"),
    ("Timeout", "timeout"),
    ("Token", "token"),
];
