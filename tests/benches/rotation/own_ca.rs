//! An operator's CA: a root that is kept elsewhere, and an intermediate that signs here. Such a
//! one signs no other root.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use serde_json::{Value, json};

use crate::Outcome;

/// The options `RootCert` and `PrivateKey` for a new CA called `name`.
pub(crate) fn options(name: &str) -> Outcome<Value> {
    let (root_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
    let root = authority(&format!("{name} root"), BasicConstraints::Unconstrained);
    let root_certificate = root.self_signed(&root_key)?;
    let issuer = Issuer::new(root, root_key);
    let intermediate = authority(name, BasicConstraints::Constrained(0));
    let certificate = intermediate.signed_by(&key, &issuer)?;
    Ok(json!({
        "RootCert": certificate.pem() + &root_certificate.pem(),
        "PrivateKey": key.serialize_pem(),
    }))
}

fn authority(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}
