//! A small authority for the tests of this folder.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use chancery_core::{TrustBundle, TrustDomain};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use serde_json::json;

use super::Material;
use crate::proxy::judge::Judge;

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";

/// A root of one trust domain, and leafs under it. All are good until the end of 2099.
pub(super) struct TestCa {
    root: String,
    issuer: Issuer<'static, KeyPair>,
}

impl TestCa {
    pub(super) fn new() -> Self {
        let mut ca = params("");
        ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        ca.not_after = date_time_ymd(2100, 1, 1);
        let key = KeyPair::generate().unwrap();
        let root = ca.self_signed(&key).unwrap().pem();
        Self {
            root,
            issuer: Issuer::new(ca, key),
        }
    }

    pub(super) fn bundle(&self) -> TrustBundle {
        let domain = TrustDomain::parse(DOMAIN).unwrap();
        TrustBundle::from_pem(domain, self.root.as_bytes()).unwrap()
    }

    /// The certificate and the key (PKCS #8) of a service.
    pub(super) fn leaf(&self, service: &str) -> (Vec<u8>, KeyPair) {
        self.sign(params(&format!("/ns/default/dc/dc1/svc/{service}")))
    }

    /// The same, over when `life` has passed, to the second.
    pub(super) fn short_leaf(&self, service: &str, life: Duration) -> (Vec<u8>, KeyPair) {
        let mut leaf = params(&format!("/ns/default/dc/dc1/svc/{service}"));
        leaf.not_after = (SystemTime::now() + life).into();
        self.sign(leaf)
    }

    fn sign(&self, mut leaf: CertificateParams) -> (Vec<u8>, KeyPair) {
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ClientAuth,
            ExtendedKeyUsagePurpose::ServerAuth,
        ];
        let key = KeyPair::generate().unwrap();
        let certificate = leaf.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().to_vec(), key)
    }

    /// What a proxy of `service` is given by its agent, from the agent's own JSON.
    pub(super) fn material(&self, service: &str, judge: &Arc<Judge>) -> Material {
        self.load(self.leaf(service), judge)
    }

    /// The same with a short leaf.
    pub(super) fn short_material(
        &self,
        service: &str,
        life: Duration,
        judge: &Arc<Judge>,
    ) -> Material {
        self.load(self.short_leaf(service, life), judge)
    }

    fn load(&self, (leaf, key): (Vec<u8>, KeyPair), judge: &Arc<Judge>) -> Material {
        let leaf = json!({
            "CertPEM": chancery_core::certificates_to_pem([leaf]),
            "PrivateKeyPEM": key.serialize_pem(),
            "ServiceURI": "",
        });
        let roots = json!({"TrustDomain": DOMAIN, "Roots": [{"RootCert": self.root}]});
        let leaf = serde_json::from_value(leaf).unwrap();
        let roots = serde_json::from_value(roots).unwrap();
        Material::load(&leaf, &roots, Arc::clone(judge)).unwrap()
    }
}

fn params(path: &str) -> CertificateParams {
    let uri = format!("spiffe://{DOMAIN}{path}");
    let mut params = CertificateParams::default();
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    params
}
