//! The proxy's own certificate and the roots it believes, ready for handshakes.

use std::sync::{Arc, OnceLock};

use chancery_core::{TrustBundle, TrustDomain, TrustDomainError, Violation};
use rustls::client::{Resumption, UnbufferedClientConnection};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::proxy::agent_api::{Leaf, Roots};
use crate::proxy::tls::gate::{ClientGate, ServerGate};
use crate::proxy::tls::session::Session;
use crate::proxy::tls::verified::Verified;

static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Why what the agent gave cannot be used. What was used before stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MaterialError {
    #[error("the leaf certificate and its key cannot be used: {0}")]
    Key(#[from] rustls::Error),
    #[error("the leaf cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("none of {count} roots can be used, the last because {last}")]
    Roots { count: usize, last: Violation },
    #[error("the agent has no roots yet")]
    NoRoots,
    #[error(transparent)]
    TrustDomain(#[from] TrustDomainError),
}

/// A leaf with its key, and the roots of its trust domain.
#[derive(Debug)]
pub(crate) struct Material {
    certified: Arc<SingleCertAndKey>,
    trust: Arc<Trust>,
}

/// The roots believed, and the chains that stood on them a moment ago.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(super) bundle: TrustBundle,
    pub(super) verified: Verified,
}

impl Material {
    /// # Errors
    /// [`MaterialError`] when the leaf, its key or all roots are unusable.
    pub(crate) fn load(leaf: &Leaf, roots: &Roots) -> Result<Self, MaterialError> {
        let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(leaf.private_key.as_bytes())?;
        let certified = CertifiedKey::from_der(chain, key, provider())?;
        Ok(Self {
            certified: Arc::new(SingleCertAndKey::from(certified)),
            trust: Arc::new(Trust {
                bundle: bundle(roots)?,
                verified: Verified::default(),
            }),
        })
    }

    /// The roots believed.
    pub(crate) const fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// A session for a peer that connected to us, which must show a certificate that `gate`
    /// lets pass.
    pub(crate) fn accept(&self, gate: Arc<ClientGate>) -> Result<Session, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&VERSIONS)?
            .with_client_cert_verifier(gate)
            .with_cert_resolver(self.certified.clone());
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        UnbufferedServerConnection::new(Arc::new(config)).map(Session::server)
    }

    /// A session for a peer that we connect to, whose certificate `gate` must let pass.
    pub(crate) fn connect(&self, gate: Arc<ServerGate>) -> Result<Session, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(gate)
            .with_client_cert_resolver(self.certified.clone());
        config.resumption = Resumption::disabled();
        config.enable_sni = false;
        // Peers are known by their SPIFFE ID, so there is no name to send or to compare.
        let nobody = ServerName::IpAddress(std::net::Ipv4Addr::UNSPECIFIED.into());
        UnbufferedClientConnection::new(Arc::new(config), nobody).map(Session::client)
    }
}

/// The one cryptography of the process; the hybrid group X25519MLKEM768 comes first in it, and
/// AES-128-GCM with SHA-256, as in the proxies of Consul and Envoy. rustls' own first choice
/// hashes with SHA-384, for which processors have no instruction: a twelfth of a handshake.
pub(super) fn provider() -> &'static Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER.get_or_init(|| {
        let mut provider = aws_lc_rs::default_provider();
        let first = CipherSuite::TLS13_AES_128_GCM_SHA256;
        // Stable, so that the rest stays in rustls' order.
        provider
            .cipher_suites
            .sort_by_key(|suite| suite.suite() != first);
        Arc::new(provider)
    })
}

/// All roots that can be read: one that cannot is not believed, which harms nobody else.
fn bundle(roots: &Roots) -> Result<TrustBundle, MaterialError> {
    let trust_domain = TrustDomain::parse(&roots.trust_domain)?;
    let mut good = String::new();
    let mut last = None;
    for root in &roots.roots {
        match TrustBundle::from_pem(trust_domain.clone(), root.root_cert.as_bytes()) {
            Ok(_) => {
                good.push_str(root.root_cert.trim());
                good.push('\n');
            }
            Err(violation) => {
                tracing::error!("a root is left out: {violation}");
                last = Some(violation);
            }
        }
    }
    let count = roots.roots.len();
    match last {
        _ if !good.is_empty() => TrustBundle::from_pem(trust_domain, good.as_bytes())
            .map_err(|last| MaterialError::Roots { count, last }),
        Some(last) => Err(MaterialError::Roots { count, last }),
        None => Err(MaterialError::NoRoots),
    }
}
