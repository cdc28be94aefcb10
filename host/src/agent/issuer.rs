//! Where the agent's leafs come from: a new key, a request, the authority's signature.

use async_trait::async_trait;
use aws_lc_rs::encoding::{AsDer, EcPrivateKeyRfc5915Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use chancery_core::{
    CheckedLeaf, Datacenter, Namespace, Secret, ServiceId, ServiceName, SpiffeId, TrustDomain,
    common_name,
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, SanType};
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use super::leafs::{Leaf, LeafError, LeafSource};
use super::local::LocalAgent;
use crate::server::{AuthorityHost, Server, SignError};

/// Issues leafs for services of this agent, through the server in the same process.
pub(super) struct LeafIssuer {
    pub(super) server: Server,
    pub(super) authority: AuthorityHost,
    pub(super) local: LocalAgent,
    pub(super) datacenter: Datacenter,
}

#[async_trait]
impl LeafSource for LeafIssuer {
    async fn issue(&self, service: &ServiceName, after: u64) -> Result<Leaf, LeafError> {
        let view = self.server.view();
        let trust_domain = view
            .state()
            .authority()
            .trust_domain()
            .ok_or(LeafError::NoAuthority)?;
        let identity = self.identity(trust_domain, service);
        let request = Request::make(&identity).map_err(LeafError::Failed)?;
        let signed = self.authority.sign_leaf(&request.csr).await;
        let leaf = signed.map_err(|error| refusal(&error))?;
        let now = self.server.clock().now().wall;
        let revision = self.server.view().state().revision().number();
        Ok(Leaf {
            service: service.clone(),
            uri: identity.to_string(),
            certificates_pem: with_intermediates(&leaf, &self.server),
            private_key_pem: request.key_pem,
            serial: leaf.serial().to_string(),
            valid_after: leaf.not_before(),
            valid_before: leaf.not_after(),
            issuer_key_id: leaf.authority_key_id().to_string(),
            index: revision.max(after + 1),
            issued_at: now,
        })
    }

    fn issuer_key_id(&self) -> Option<String> {
        let view = self.server.view();
        let root = view.state().authority().active_root()?;
        Some(root.signing_key_id.clone())
    }

    fn is_registered(&self, service: &str) -> bool {
        self.local.has_service(service)
    }
}

impl LeafIssuer {
    fn identity(&self, trust_domain: &TrustDomain, service: &ServiceName) -> SpiffeId {
        SpiffeId::Service(ServiceId::new(
            trust_domain.clone(),
            Namespace::DEFAULT,
            self.datacenter.clone(),
            service.clone(),
        ))
    }
}

/// A new key and the request for its certificate. The key leaves this agent only towards its
/// service.
struct Request {
    csr: Vec<u8>,
    key_pem: Secret,
}

impl Request {
    /// P-256, whatever the CA's own key is, as Consul does.
    fn make(identity: &SpiffeId) -> Result<Self, String> {
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

/// The leaf's own chain, and what leads from its root to older ones, each once.
fn with_intermediates(leaf: &CheckedLeaf, server: &Server) -> String {
    let view = server.view();
    let mut chain: Vec<&[u8]> = leaf.chain_der().iter().map(Vec::as_slice).collect();
    let root = view.state().authority().active_root();
    for intermediate in root.iter().flat_map(|root| &root.intermediates) {
        if !chain.contains(&intermediate.as_bytes()) {
            chain.push(intermediate.as_bytes());
        }
    }
    chancery_core::certificates_to_pem(chain)
}

fn refusal(error: &SignError) -> LeafError {
    match error {
        SignError::NoAuthority => LeafError::NoAuthority,
        error if error.is_rate_limit() => LeafError::RateLimited,
        error => LeafError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject as _;

    use super::*;

    #[test]
    fn the_key_is_a_sec1_pem_that_tls_stacks_load() {
        let identity = SpiffeId::parse("spiffe://a.consul/ns/default/dc/dc1/svc/web").unwrap();
        let request = Request::make(&identity).unwrap();
        let pem = request.key_pem.expose();
        assert!(pem.starts_with(b"-----BEGIN EC PRIVATE KEY-----\n"));
        let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
        assert!(matches!(key, PrivateKeyDer::Sec1(_)));
        rustls::crypto::aws_lc_rs::sign::any_ecdsa_type(&key).unwrap();
    }
}
