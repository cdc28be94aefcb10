//! A service's new key and the request for its certificate.

use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use chancery_core::{Secret, SpiffeId, common_name};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

/// A new key and the request for its certificate. The key leaves this agent only towards its
/// service.
pub(crate) struct LeafKey {
    /// PKCS #10, DER.
    pub(crate) csr: Vec<u8>,
    /// SEC1 in PEM.
    pub(crate) key_pem: Secret,
}

impl LeafKey {
    /// P-256, whatever the CA's own key is, as Consul does.
    pub(crate) fn make(identity: &SpiffeId) -> Result<Self, String> {
        let said = |what: &str, error: &dyn std::fmt::Display| format!("{what}: {error}");
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|error| said("no key could be made", &error))?;
        let pkcs8 = key
            .to_pkcs8v1()
            .map_err(|error| said("the new key cannot be encoded", &error))?;
        let signer = KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8.as_ref()))
            .map_err(|error| said("the new key cannot be used", &error))?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        if let Some(name) = common_name(identity) {
            params.distinguished_name.push(DnType::CommonName, name);
        }
        let uri = identity
            .to_string()
            .try_into()
            .map_err(|error| said("the SPIFFE ID is no URI", &error))?;
        params.subject_alt_names = vec![SanType::URI(uri)];
        let csr = params
            .serialize_request(&signer)
            .map_err(|error| said("the request cannot be made", &error))?;
        let sec1: EcPrivateKeyRfc5915Der<'_> = key
            .private_key()
            .as_der()
            .map_err(|error| said("the new key cannot be encoded", &error))?;
        Ok(Self {
            csr: csr.der().to_vec(),
            key_pem: sec1_pem(sec1.as_ref()),
        })
    }
}

/// PEM of an elliptic-curve key (RFC 5915), which is what Consul's clients expect.
fn sec1_pem(der: &[u8]) -> Secret {
    use base64::Engine as _;
    let body = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    // Reserved in one piece: growing would leave parts of the key in freed memory.
    let mut pem = Vec::with_capacity(body.len() + body.len() / 64 + 80);
    pem.extend_from_slice(b"-----BEGIN EC PRIVATE KEY-----\n");
    for line in body.as_bytes().chunks(64) {
        pem.extend_from_slice(line);
        pem.push(b'\n');
    }
    pem.extend_from_slice(b"-----END EC PRIVATE KEY-----\n");
    Secret::new(pem)
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn the_key_is_a_sec1_pem_that_tls_stacks_load() {
        let identity = SpiffeId::parse("spiffe://a.consul/ns/default/dc/dc1/svc/web").unwrap();
        let request = LeafKey::make(&identity).unwrap();
        let pem = request.key_pem.expose();
        assert!(pem.starts_with(b"-----BEGIN EC PRIVATE KEY-----\n"));
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        assert!(matches!(key, PrivateKeyDer::Sec1(_)));
        rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key).unwrap();
    }
}
