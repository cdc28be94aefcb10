//! An operator's CA: a root that is kept elsewhere, and an intermediate that signs here. Such a
//! one signs no other root.

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};

/// A root and an intermediate under it, each new.
#[derive(Debug)]
pub struct OperatorCa {
    chain_pem: String,
    key: KeyPair,
}

impl OperatorCa {
    /// Makes one.
    ///
    /// # Errors
    /// When a key or a certificate cannot be made.
    pub fn new() -> Result<Self, rcgen::Error> {
        let (root_key, key) = (KeyPair::generate()?, KeyPair::generate()?);
        let root = authority("Operator root", BasicConstraints::Unconstrained);
        let root_certificate = root.self_signed(&root_key)?;
        let issuer = Issuer::new(root, root_key);
        let intermediate = authority("Operator intermediate", BasicConstraints::Constrained(0));
        let certificate = intermediate.signed_by(&key, &issuer)?;
        Ok(Self {
            chain_pem: certificate.pem() + &root_certificate.pem(),
            key,
        })
    }

    /// The intermediate and the root: the option `RootCert`.
    #[must_use]
    pub fn chain_pem(&self) -> &str {
        &self.chain_pem
    }

    /// The intermediate's key: the option `PrivateKey`.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn authority(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(constraints);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}
