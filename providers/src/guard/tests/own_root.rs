//! A guard around a CA whose root somebody gave.

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, KeyUsagePurpose,
};

use super::*;
use crate::split_secrets;

struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

fn params(name: &str, path_length: Option<u8>) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(path_length.map_or(
        BasicConstraints::Unconstrained,
        BasicConstraints::Constrained,
    ));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

fn root(name: &str) -> Authority {
    let params = params(name, None);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Authority {
        params,
        key,
        certificate,
    }
}

impl Authority {
    fn sign(
        &self,
        params: &CertificateParams,
        key: &impl rcgen::PublicKeyData,
    ) -> rcgen::Certificate {
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        params.signed_by(key, &issuer).unwrap()
    }
}

async fn configured(options: serde_json::Value) -> Guard<BuiltIn> {
    let serde_json::Value::Object(options) = options else {
        panic!("options are an object");
    };
    let (options, secrets) = split_secrets(options);
    let provider = BuiltIn::with_clock(Arc::new(|| fixture::NOW));
    let mut guard = Guard::new(provider, settings(Limits::NONE));
    let request = ConfigureRequest {
        trust_domain: TrustDomain::parse(fixture::DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options,
        secrets,
        state: None,
    };
    guard.configure(&request).await.unwrap();
    let wish = fixture::root_request(KeySpec::EcP256);
    guard.root(&wish).await.unwrap();
    guard
}

/// Nobody can ask an operator's intermediate for a path length.
#[tokio::test]
async fn leafs_under_a_given_chain_pass_whatever_its_path_length() {
    let root = root("Acme Root");
    for path_length in [None, Some(0), Some(2)] {
        let key = KeyPair::generate().unwrap();
        let issuing = root.sign(&params("Acme Issuing", path_length), &key);
        let guard = configured(serde_json::json!({
            "PrivateKey": key.serialize_pem(),
            "RootCert": issuing.pem() + &root.certificate.pem(),
        }))
        .await;
        let wish = fixture::intermediate_request();
        let answer = guard.intermediate(&wish).await.unwrap();
        assert!(matches!(answer, IntermediateAnswer::Ready { .. }));
        let leaf = guard.issue_leaf(&fixture::leaf_request()).await.unwrap();
        assert_eq!(leaf.chain_der().len(), 2);
    }
}

#[tokio::test]
async fn an_intermediate_signed_by_another_root_is_refused_before_the_provider_is_asked() {
    let (own, other) = (root("Acme Root"), root("Other Root"));
    let guard = configured(serde_json::json!({
        "RootCert": own.certificate.pem(),
        "ExternalIntermediate": true,
    }))
    .await;
    let wish = fixture::intermediate_request();
    let IntermediateAnswer::Csr { csr, .. } = guard.intermediate(&wish).await.unwrap() else {
        panic!("nobody has signed it");
    };
    let key = rcgen::SubjectPublicKeyInfo::from_der(&fixture::spki(&csr)).unwrap();
    let signed = |by: &Authority| by.sign(&params("Mesh", Some(0)), &key).der().clone();
    let accept = |chain| AcceptIntermediateRequest { chain };

    let foreign = accept(vec![signed(&other), other.certificate.der().clone()]);
    let error = guard.accept_intermediate(&foreign).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let text = error.to_string();
    let wanted = "the intermediate does not stand on this CA's root: ";
    assert!(text.starts_with(wanted), "{text}");
    let error = guard.issue_leaf(&fixture::leaf_request()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);

    let good = accept(vec![signed(&own), own.certificate.der().clone()]);
    guard.accept_intermediate(&good).await.unwrap();
    guard.issue_leaf(&fixture::leaf_request()).await.unwrap();
}
