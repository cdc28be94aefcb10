//! The two mounts and the role: made if they are missing, else used as they are.

use std::time::Duration;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};
use vaultrs::api::sys::requests::{
    EnableEngineDataConfig, EnableEngineRequest, GetConfigurationOfTheSecretEngineRequest,
};

use super::endpoints::{ReadRole, TuneMount, WriteRole};
use super::options::Place;
use super::session::Session;
use crate::ProviderError;

/// Of a mount, as far as it matters here.
#[derive(Default, Deserialize)]
struct Mount {
    #[serde(default)]
    description: String,
    #[serde(default)]
    config: MountConfig,
}

#[derive(Default, Deserialize)]
struct MountConfig {
    #[serde(default)]
    max_lease_ttl: u64,
}

/// Mounts a PKI engine at `place`.
pub(super) async fn create(
    session: &Session,
    place: &Place,
    purpose: &str,
    max_ttl: Duration,
) -> Result<(), ProviderError> {
    let call = EnableEngineRequest {
        path: place.mount.clone(),
        engine_type: Some("pki".to_owned()),
        description: Some(description(session, purpose)),
        config: Some(EnableEngineDataConfig {
            max_lease_ttl: Some(seconds(max_ttl)),
            ..EnableEngineDataConfig::default()
        }),
        options: None,
    };
    match session.call::<IgnoredAny>(place, call).await {
        Ok(_) => Ok(()),
        // Somebody was faster.
        Err(failure) if failure.says("path is already in use") => Ok(()),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// Whether the mount, which is there, is one that [`create`] has made for this trust domain.
///
/// If it is, its longest lease is set to `max_ttl`. A mount of somebody else is left as it is,
/// and so is one that the token may not look at.
pub(super) async fn adopt(
    session: &Session,
    place: &Place,
    purpose: &str,
    max_ttl: Duration,
) -> Result<bool, ProviderError> {
    let call = GetConfigurationOfTheSecretEngineRequest {
        path: place.mount.clone(),
    };
    let mount: Mount = match session.call(place, call).await {
        Ok(mount) => mount,
        Err(failure) if failure.is_forbidden() => return Ok(false),
        Err(failure) => return Err(session.explain(failure).await),
    };
    if mount.description != description(session, purpose) {
        return Ok(false);
    }
    if mount.config.max_lease_ttl != max_ttl.as_secs() {
        let call = TuneMount {
            mount: place.mount.clone(),
            max_lease_ttl: seconds(max_ttl),
        };
        if let Err(failure) = session.call::<IgnoredAny>(place, call).await {
            return Err(session.explain(failure).await);
        }
    }
    Ok(true)
}

/// Makes the role say what it must, if it does not.
pub(super) async fn keep_role(session: &Session) -> Result<(), ProviderError> {
    let place = &session.intermediate;
    let wanted = role(session);
    let call = ReadRole {
        mount: place.mount.clone(),
        role: ROLE.to_owned(),
    };
    let found: Map<String, Value> = match session.call(place, call).await {
        Ok(found) => found,
        Err(failure) if failure.is_absent() && !failure.is_unmounted() => Map::new(),
        Err(failure) => return Err(session.explain(failure).await),
    };
    if wanted
        .iter()
        .all(|(name, value)| found.get(name) == Some(value))
    {
        return Ok(());
    }
    let call = WriteRole {
        mount: place.mount.clone(),
        role: ROLE.to_owned(),
        settings: Value::Object(wanted).to_string().into_bytes(),
    };
    match session.call::<IgnoredAny>(place, call).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// As narrow as leafs are: one identity of this trust domain, nothing of the CSR but its key,
/// no CA, no other use, and no copy in Vault.
fn role(session: &Session) -> Map<String, Value> {
    let domain = session.trust_domain.as_str();
    let short = domain.get(..8).unwrap_or(domain);
    let settings = json!({
        "allow_any_name": false,
        "allow_bare_domains": false,
        "allow_glob_domains": false,
        "allow_ip_sans": false,
        "allow_localhost": false,
        "allow_subdomains": true,
        "allow_wildcard_certificates": false,
        "allowed_domains": [format!("{short}.consul")],
        "allowed_uri_sans": [format!("spiffe://{domain}/*")],
        "basic_constraints_valid_for_non_ca": true,
        "client_flag": true,
        "code_signing_flag": false,
        "email_protection_flag": false,
        "enforce_hostnames": true,
        "ext_key_usage": [],
        "generate_lease": false,
        "key_bits": 0,
        "key_type": "any",
        "key_usage": ["DigitalSignature"],
        "max_ttl": session.shared.leaf_cert_ttl.as_secs(),
        "no_store": true,
        "not_before_duration": LEAF_BACKDATED,
        "require_cn": false,
        "server_flag": true,
        "ttl": 0,
        "use_csr_common_name": false,
        "use_csr_sans": false,
    });
    match settings {
        Value::Object(settings) => settings,
        _ => Map::new(),
    }
}

fn description(session: &Session, purpose: &str) -> String {
    format!("{purpose} of Chancery for {}", session.trust_domain)
}

fn seconds(span: Duration) -> String {
    format!("{}s", span.as_secs())
}

/// The role that leafs are signed by: Consul's name.
pub(super) const ROLE: &str = "leaf-cert";
pub(super) const ROOT_PURPOSE: &str = "root CA";
pub(super) const INTERMEDIATE_PURPOSE: &str = "intermediate CA";
/// Seconds. Half of what leafs are backdated by at most, so that Vault's clock may be as much
/// ahead of ours as behind it.
const LEAF_BACKDATED: u64 = 30;
