mod signing;
mod vetting;

use std::sync::Arc;
use std::time::Duration;

use chancery_core::{
    CheckedRoot, Datacenter, KeyUsages, OperationId, PeerRole, Serial, Timestamp, TrustBundle,
    TrustDomain,
};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PublicKeyData as _,
};
use serde_json::json;

use super::super::{BuiltIn, keys};
use super::*;
use crate::{
    CaProvider as _, ConfigureRequest, CrossSignRequest, ErrorKind, ExtendedKeyUsage,
    IntermediateRequest, IntermediateTemplate, LeafRequest, LeafTemplate, RootRequest,
    RootTemplate, SecretOptions, Validity,
};

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
/// 2027-01-01T00:00:00Z
const NOW: Timestamp = Timestamp::from_unix(1_798_761_600);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A CA of an operator.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

fn params(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    lives(&mut params, NOW.saturating_sub(DAY), 3650 * DAY);
    change(&mut params);
    params
}

fn lives(params: &mut CertificateParams, from: Timestamp, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let start = Duration::from_secs(from.unix_seconds().try_into().unwrap());
    params.not_before = epoch + start;
    params.not_after = epoch + start + life;
}

impl Authority {
    fn root(kind: KeySpec, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let params = params("Acme Root", change);
        let key = keys::key_pair(kind).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn under(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = params("Acme Issuing", |params| {
            params.not_after = self.params.not_after;
        });
        change(&mut params);
        let key = keys::key_pair(KeySpec::EcP256).unwrap();
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn key(&self) -> String {
        self.key.serialize_pem()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

fn plain(params: &mut CertificateParams) {
    let _ = params;
}

async fn configure(
    options: serde_json::Value,
    key: Option<&str>,
    state: Option<Secret>,
    now: Timestamp,
) -> Result<BuiltIn, ProviderError> {
    let serde_json::Value::Object(options) = options else {
        panic!("options are an object");
    };
    let secret = key.map(|key| ("PrivateKey", Secret::new(key.as_bytes().to_vec())));
    let request = ConfigureRequest {
        trust_domain: TrustDomain::parse(DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options,
        secrets: SecretOptions::from_iter(secret),
        state,
    };
    let mut provider = BuiltIn::with_clock(Arc::new(move || now));
    provider.configure(&request).await?;
    Ok(provider)
}

/// What is said of this root and key; empty if they are good.
async fn verdict(pem: &str, key: Option<&str>) -> String {
    match configure(json!({ "RootCert": pem }), key, None, NOW).await {
        Ok(_) => String::new(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
            let text = format!("{error} {error:?}");
            for line in key
                .unwrap_or_default()
                .lines()
                .filter(|line| line.len() > 8)
            {
                assert!(line.starts_with("-----") || !text.contains(line), "{text}");
            }
            error.to_string()
        }
    }
}

fn operation(number: u8) -> OperationId {
    OperationId::from_bytes([number; 16])
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number]).unwrap()
}

fn root_request(number: u8, renew: bool) -> RootRequest {
    let trust_domain = TrustDomain::parse(DOMAIN).unwrap();
    RootRequest {
        operation: operation(number),
        renew,
        template: RootTemplate::new(
            "consul",
            &trust_domain,
            [number; 8],
            serial(number),
            KeySpec::EcP256,
            3650 * DAY,
            NOW,
        ),
    }
}

fn intermediate_template() -> IntermediateTemplate {
    let trust_domain = TrustDomain::parse(DOMAIN).unwrap();
    IntermediateTemplate::new("consul", &trust_domain, [3; 8], serial(5), 365 * DAY, NOW)
}

fn intermediate_request(number: u8, renew: bool) -> IntermediateRequest {
    IntermediateRequest {
        operation: operation(number),
        renew,
        template: intermediate_template(),
        key: KeySpec::EcP256,
    }
}

fn leaf_request() -> LeafRequest {
    let key = keys::key_pair(KeySpec::EcP256).unwrap();
    let csr = CertificateParams::default().serialize_request(&key);
    LeafRequest {
        csr: csr.unwrap().der().clone(),
        public_key: key.subject_public_key_info().into(),
        template: LeafTemplate {
            common_name: "web.svc.default.11111111.consul".into(),
            uri: format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web"),
            serial: serial(9),
            validity: Validity::backdated(72 * HOUR, NOW),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

/// Signs a leaf, which peers that trust `root` alone take; gives its chain.
async fn assert_signs(provider: &BuiltIn, root: &[u8]) -> Vec<CertificateDer<'static>> {
    let chain = provider.sign_leaf(&leaf_request()).await.unwrap();
    assert_verifies(&chain, root);
    chain
}

fn assert_verifies(chain: &[CertificateDer<'_>], root: &[u8]) {
    let root = CheckedRoot::restore(root).unwrap();
    let bundle = TrustBundle::new(TrustDomain::parse(DOMAIN).unwrap(), [root]).unwrap();
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for role in [PeerRole::Client, PeerRole::Server] {
        bundle
            .verify_peer(&chain, role, webpki::ALL_VERIFICATION_ALGS, NOW)
            .unwrap();
    }
}

fn cross(root: &CertificateDer<'_>) -> CrossSignRequest {
    CrossSignRequest {
        root: root.clone().into_owned(),
        csr: None,
        serial: serial(12),
        validity: Validity::backdated(7 * DAY, NOW),
    }
}
