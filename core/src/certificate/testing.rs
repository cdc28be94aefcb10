//! A small certificate authority for tests: good certificates that a closure makes bad.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};

use super::{Algorithms, CaPolicy, CheckedRoot, CsrPolicy, TrustBundle, Violation};
use crate::identity::{Datacenter, TrustDomain};
use crate::time::Timestamp;

pub(super) const TD: &str = "11111111-2222-3333-4444-555555555555.consul";
pub(super) const WEB: &str =
    "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web";

/// The moment at which every test takes place.
pub(super) fn now() -> Timestamp {
    Timestamp::parse("2026-11-24T00:00:00Z").unwrap()
}

pub(super) fn trust_domain() -> TrustDomain {
    TrustDomain::parse(TD).unwrap()
}

pub(super) fn csr_policy() -> CsrPolicy {
    CsrPolicy::new(trust_domain(), Datacenter::parse("dc1").unwrap())
}

pub(super) fn algorithms() -> Algorithms<'static> {
    rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all
}

/// Sets a validity in seconds from [`now`].
pub(super) fn set_validity(params: &mut CertificateParams, from: i64, to: i64) {
    let base = rcgen::date_time_ymd(2026, 11, 24);
    let at = |seconds: i64| {
        let span = Duration::from_secs(seconds.unsigned_abs());
        if seconds < 0 {
            base - span
        } else {
            base + span
        }
    };
    (params.not_before, params.not_after) = (at(from), at(to));
}

pub(super) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(super) fn extension(oid: &[u64], critical: bool, content: &[u8]) -> CustomExtension {
    let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
    extension.set_criticality(critical);
    extension
}

pub(super) struct TestCa {
    pub(super) params: CertificateParams,
    pub(super) key: KeyPair,
    pub(super) der: Vec<u8>,
}

impl TestCa {
    pub(super) fn root(name: &str) -> Self {
        Self::root_with(name, |_| {})
    }

    pub(super) fn root_with(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        Self { params, key, der }
    }

    pub(super) fn sub(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = ca_params(name);
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let der = self.sign(&params, &key);
        Self { params, key, der }
    }

    pub(super) fn sign(&self, params: &CertificateParams, key: &impl PublicKeyData) -> Vec<u8> {
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap().der().to_vec()
    }

    /// A leaf for `web` with a new P-256 key.
    pub(super) fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = leaf_params();
        change(&mut params);
        self.sign(&params, &KeyPair::generate().unwrap())
    }

    pub(super) fn checked(&self) -> CheckedRoot {
        CheckedRoot::check(&self.der, &CaPolicy::any(), algorithms(), now()).unwrap()
    }

    pub(super) fn bundle(&self) -> TrustBundle {
        let root = CheckedRoot::restore(&self.der).unwrap();
        TrustBundle::new(trust_domain(), [root]).unwrap()
    }
}

pub(super) fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.subject_alt_names = vec![uri(&format!("spiffe://{TD}"))];
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.serial_number = Some(SerialNumber::from_slice(&[7]));
    set_validity(&mut params, -86_400, 86_400 * 365);
    params
}

pub(super) fn leaf_params() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "web.svc.default.11111111.consul");
    params.subject_alt_names = vec![uri(WEB)];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params.serial_number = Some(SerialNumber::from_slice(&[0x12, 0x34]));
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, -60, 3600);
    params
}

/// The variant's name: the rule that was broken.
pub(super) fn rule(violation: &Violation) -> String {
    let debug = format!("{violation:?}");
    let end = debug.find([' ', '(']).unwrap_or(debug.len());
    debug[..end].to_owned()
}

#[track_caller]
pub(super) fn assert_breaks<T: std::fmt::Debug>(checked: Result<T, Violation>, expected: &str) {
    match checked {
        Ok(accepted) => panic!("{expected} was expected, accepted is {accepted:?}"),
        Err(violation) => {
            assert_eq!(rule(&violation), expected, "{violation}");
            let text = violation.to_string();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}
