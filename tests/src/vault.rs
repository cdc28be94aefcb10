//! What the scenarios of the Vault provider ask of it.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chancery_core::{Datacenter, KeyUsages, OperationId, Secret, Serial, Timestamp, TrustDomain};
use chancery_providers::{
    CaProvider, ConfigureRequest, CrossSignRequest, Deadlines, ExtendedKeyUsage, GuardSettings,
    IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec, LeafRequest,
    LeafTemplate, Limits, OptionMap, ProviderError, RootRequest, RootTemplate, Validity, Vault,
    signature_check, split_secrets,
};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, KeyPair, PublicKeyData, SanType};
use rustls_pki_types::{CertificateDer, SubjectPublicKeyInfoDer};
use serde_json::Value;

/// The trust domain of the scenarios.
pub const TRUST_DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";

const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// A configuration with `options` as a user writes them, secrets among them.
///
/// # Panics
/// Never: the trust domain is a good one.
#[must_use]
pub fn vault_configuration(options: &Value, state: Option<Secret>) -> ConfigureRequest {
    let options = options.as_object().cloned().unwrap_or_default();
    let (options, secrets) = split_secrets(options);
    ConfigureRequest {
        trust_domain: trust_domain(),
        datacenter: Datacenter::parse("dc1").expect("a good name"),
        options,
        secrets,
        state,
    }
}

/// A configured provider.
///
/// # Errors
/// The provider's.
pub async fn configured_vault(
    options: &Value,
    state: Option<Secret>,
) -> Result<Vault, ProviderError> {
    let mut vault = Vault::new();
    vault
        .configure(&vault_configuration(options, state))
        .await?;
    Ok(vault)
}

/// Asks for root and intermediate, as the host does; the root, the chain and the newest state.
///
/// # Errors
/// The provider's.
pub async fn issuers_of(
    vault: &Vault,
    operation: u8,
    renew: bool,
) -> Result<
    (
        CertificateDer<'static>,
        Vec<CertificateDer<'static>>,
        Secret,
    ),
    ProviderError,
> {
    let root = vault.root(&root_request(operation, renew)).await?;
    let answer = vault
        .intermediate(&intermediate_request(operation, renew))
        .await?;
    match answer {
        IntermediateAnswer::Ready { chain, state } => Ok((root.certificate, chain, state)),
        _ => Err(ProviderError::broken("no intermediate is ready")),
    }
}

/// A wish for a root of ten years.
#[must_use]
pub fn root_request(operation: u8, renew: bool) -> RootRequest {
    RootRequest {
        operation: OperationId::from_bytes([operation; 16]),
        renew,
        template: RootTemplate::new(
            "vault",
            &trust_domain(),
            [operation; 8],
            serial(operation),
            KeySpec::EcP256,
            10 * YEAR,
            now(),
        ),
    }
}

/// A wish for an intermediate of a year.
#[must_use]
pub fn intermediate_request(operation: u8, renew: bool) -> IntermediateRequest {
    IntermediateRequest {
        operation: OperationId::from_bytes([operation; 16]),
        renew,
        template: IntermediateTemplate::new(
            "vault",
            &trust_domain(),
            [operation; 8],
            serial(operation),
            YEAR,
            now(),
        ),
        key: KeySpec::EcP256,
    }
}

/// A wish for a leaf of a day for `service`, with a key of its own.
///
/// # Panics
/// If no key can be made.
#[must_use]
pub fn leaf_request(service: &str) -> LeafRequest {
    let key = KeyPair::generate().expect("a key");
    let uri = format!("spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{service}");
    let mut params = CertificateParams::default();
    let name = Ia5String::try_from(uri.as_str()).expect("ASCII");
    params.subject_alt_names = vec![SanType::URI(name)];
    let csr = params.serialize_request(&key).expect("a request");
    LeafRequest {
        csr: csr.der().clone(),
        public_key: SubjectPublicKeyInfoDer::from(key.subject_public_key_info()),
        template: LeafTemplate {
            common_name: format!("{service}.svc.default.11111111.consul"),
            uri,
            serial: serial(7),
            validity: Validity::backdated(DAY, now()),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

/// A wish to have `root` signed for a week.
#[must_use]
pub fn cross_sign_request(root: &CertificateDer<'static>) -> CrossSignRequest {
    CrossSignRequest {
        root: root.clone(),
        csr: None,
        serial: serial(9),
        validity: Validity::backdated(7 * DAY, now()),
    }
}

/// What time it is.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = since.unwrap_or_default().as_secs();
    Timestamp::from_unix(i64::try_from(seconds).unwrap_or_default())
}

/// A guard that verifies what a scenario's provider signs, as the agent does for the provider of
/// this name: with no limits, and nobody to observe it.
#[must_use]
pub fn guard_settings(provider: &str) -> GuardSettings {
    GuardSettings {
        algorithms: rustls::crypto::aws_lc_rs::default_provider()
            .signature_verification_algorithms
            .all,
        leaf_signatures: signature_check(provider),
        clock: Arc::new(now),
        deadlines: Deadlines::default(),
        limits: Limits::NONE,
        observer: Arc::new(()),
    }
}

/// Options as a map, for those that are put together.
#[must_use]
pub fn option_map(options: Value) -> OptionMap {
    match options {
        Value::Object(options) => options,
        _ => OptionMap::new(),
    }
}

fn trust_domain() -> TrustDomain {
    TrustDomain::parse(TRUST_DOMAIN).expect("a good name")
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[0x41, number, 1, 2, 3, 4, 5, 6]).expect("a number")
}
