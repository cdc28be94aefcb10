//! The options of the Vault provider: Consul's names, checks and texts.

use chancery_core::Secret;
use serde_json::Value;

use super::auth::Method;
use crate::options::{Decoder, OptionMap, SecretOptions, same_name};
use crate::{CaOptions, ConfigureRequest, DecodedOptions, ProviderError};

/// What an operator has said about Vault, checked.
#[derive(Clone, Debug)]
pub(super) struct VaultOptions {
    pub(super) address: String,
    pub(super) root: Place,
    pub(super) intermediate: Place,
    /// Where logins and token calls go.
    pub(super) namespace: String,
    pub(super) tls: TlsOptions,
    pub(super) method: Method,
    pub(super) shared: CaOptions,
}

/// A mount of the PKI engine, in a namespace (empty for Vault's own root namespace).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) namespace: String,
    /// Without slashes at its ends.
    pub(super) mount: String,
}

/// How Vault proves itself, and we ourselves.
#[derive(Clone, Debug, Default)]
pub(super) struct TlsOptions {
    pub(super) ca_file: String,
    pub(super) ca_path: String,
    pub(super) cert_file: String,
    pub(super) key_file: String,
    pub(super) server_name: String,
    pub(super) skip_verify: bool,
}

impl VaultOptions {
    /// Reads and checks, in Consul's order: types, credential, mounts, then what every provider
    /// shares, then what only we check.
    pub(super) fn parse(request: &ConfigureRequest) -> Result<Self, ProviderError> {
        Self::read(&request.options, &request.secrets)
    }

    fn read(options: &OptionMap, secrets: &SecretOptions) -> Result<Self, ProviderError> {
        let decoded = DecodedOptions::decode(options)?;
        let mut decoder = Decoder::new(options);
        let mut text = |name| decoder.text(name, "");
        let address = text("Address");
        let root = text("RootPKIPath");
        let intermediate = text("IntermediatePKIPath");
        let namespace = text("Namespace");
        let root_namespace = text("RootPKINamespace");
        let intermediate_namespace = text("IntermediatePKINamespace");
        let root_cert = text("RootCert");
        let mut tls = TlsOptions {
            ca_file: text("CAFile"),
            ca_path: text("CAPath"),
            cert_file: text("CertFile"),
            key_file: text("KeyFile"),
            server_name: text("TLSServerName"),
            skip_verify: false,
        };
        tls.skip_verify = decoder.bool("TLSSkipVerify", false);
        decoder.finish()?;
        let method = Method::parse(auth_method(options), secrets)?;
        let root = mount(&root, "must provide a valid path to a root PKI backend")?;
        let intermediate = mount(
            &intermediate,
            "must provide a valid path for the intermediate PKI backend",
        )?;
        let shared = decoded.check()?;
        if !root_cert.is_empty() || secrets.find("PrivateKey").is_some() {
            return Err(ProviderError::misconfigured(format!(
                "PrivateKey and RootCert are options of the built-in CA: import your root into \
                 {root}/ in Vault, it is used from there"
            )));
        }
        let namespace = checked_namespace("Namespace", &namespace)?;
        let within = |name, own: String| {
            let own = checked_namespace(name, &own)?;
            Ok::<_, ProviderError>(if own.is_empty() {
                namespace.clone()
            } else {
                own
            })
        };
        let checked = Self {
            address: checked_address(&address)?,
            root: Place {
                namespace: within("RootPKINamespace", root_namespace)?,
                mount: root,
            },
            intermediate: Place {
                namespace: within("IntermediatePKINamespace", intermediate_namespace)?,
                mount: intermediate,
            },
            namespace: namespace.clone(),
            tls,
            method,
            shared,
        };
        if checked.root == checked.intermediate {
            return Err(ProviderError::misconfigured(format!(
                "RootPKIPath and IntermediatePKIPath must be two mounts, both are {}/",
                checked.root.mount
            )));
        }
        checked.tls.check()?;
        Ok(checked)
    }
}

impl TlsOptions {
    fn check(&self) -> Result<(), ProviderError> {
        match (self.cert_file.is_empty(), self.key_file.is_empty()) {
            (true, false) => Err(ProviderError::misconfigured(
                "KeyFile needs CertFile beside it",
            )),
            (false, true) => Err(ProviderError::misconfigured(
                "CertFile needs KeyFile beside it",
            )),
            _ => Ok(()),
        }
    }
}

/// Reads and checks, and keeps nothing.
pub(crate) fn check_options(
    options: &OptionMap,
    secrets: &SecretOptions,
) -> Result<(), ProviderError> {
    VaultOptions::read(options, secrets).map(drop)
}

/// The `AuthMethod` block, if there is one.
fn auth_method(options: &OptionMap) -> Option<&OptionMap> {
    find(options, "AuthMethod").and_then(Value::as_object)
}

/// The value of `name` in whichever spelling.
pub(super) fn find<'a>(map: &'a OptionMap, name: &str) -> Option<&'a Value> {
    map.iter()
        .find(|(key, value)| same_name(name, key) && !value.is_null())
        .map(|(_, value)| value)
}

/// The secret text called `name`, without white space around it.
pub(super) fn secret_text(secrets: &SecretOptions, name: &str) -> Option<String> {
    secrets
        .find(name)
        .map(Secret::expose)
        .map(|bytes| String::from_utf8_lossy(bytes).trim().to_owned())
        .filter(|text| !text.is_empty())
}

fn mount(path: &str, missing: &str) -> Result<String, ProviderError> {
    let path = path.trim_matches('/');
    if path.is_empty() {
        return Err(ProviderError::misconfigured(missing));
    }
    let good = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
    };
    if path.split('/').all(good) && path.len() <= LONGEST_PATH {
        return Ok(path.to_owned());
    }
    Err(ProviderError::misconfigured(format!(
        "{path:?} is no path of a mount: letters, digits, '-', '_' and '.' between slashes are allowed"
    )))
}

fn checked_namespace(name: &str, value: &str) -> Result<String, ProviderError> {
    let value = value.trim_matches('/');
    let good = value.bytes().all(|byte| byte == b'/' || plain(byte));
    if good && value.len() <= LONGEST_PATH {
        return Ok(value.to_owned());
    }
    Err(ProviderError::misconfigured(format!(
        "{name} {value:?} is no namespace: letters, digits, '-', '_' and '.' between slashes are allowed"
    )))
}

fn checked_address(address: &str) -> Result<String, ProviderError> {
    if address.is_empty() {
        return Err(ProviderError::misconfigured("must provide a Vault address"));
    }
    let refused = |why: &str| {
        Err(ProviderError::misconfigured(format!(
            "Address {why}, it must be like https://vault.example.com:8200"
        )))
    };
    let Ok(url) = reqwest::Url::parse(address) else {
        return refused("is no URL");
    };
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return refused("is neither http:// nor https:// and a host");
    }
    // What is in there would stand in every error.
    if !url.username().is_empty() || url.password().is_some() {
        return refused("holds a user name or password");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return refused("holds a query or fragment");
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

const fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

const LONGEST_PATH: usize = 256;

#[cfg(test)]
mod tests;
