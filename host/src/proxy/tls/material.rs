//! The proxy's own certificate and the roots it believes, ready for handshakes.

use std::sync::{Arc, OnceLock};

use chancery_core::{
    PeerRole, Timestamp, TrustBundle, TrustDomain, TrustDomainError, VerifiedPeer, Violation,
};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, UnbufferedServerConnection};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ClientConfig, ServerConfig, SupportedProtocolVersion};

use crate::proxy::agent_api::{Leaf, Roots};
use crate::proxy::judge::Judge;
use crate::proxy::tls::gate::{ClientGate, Refusal, ServerGate, Wanted, now};
use crate::proxy::tls::resumption::{Route, Routes, Sessions, TICKETS};
use crate::proxy::tls::session::Session;
use crate::proxy::tls::verified::Verified;

static VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];

/// Why what the agent gave cannot be used. What was used before stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MaterialError {
    #[error("the leaf certificate and its key cannot be used: {0}")]
    Key(#[from] rustls::Error),
    #[error("the leaf is refused: {0}")]
    Leaf(#[from] Violation),
    #[error("the agent gave no leaf")]
    NoLeaf,
    #[error("the leaf cannot be read: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    #[error("the agent has no roots yet")]
    NoRoots,
    #[error("none of {count} roots can be used, the last because {last}")]
    Roots { count: usize, last: Violation },
    #[error(transparent)]
    TrustDomain(#[from] TrustDomainError),
}

/// A leaf with its key, the roots of its trust domain, and the sessions that were made by these
/// two and end with them.
#[derive(Debug)]
pub(crate) struct Material {
    certified: Arc<SingleCertAndKey>,
    /// The last second of our leaf.
    not_after: Timestamp,
    trust: Arc<Trust>,
    gate: Arc<ClientGate>,
    inbound: Arc<ServerConfig>,
    routes: Routes,
}

/// The roots believed, and the chains that stood on them a moment ago.
#[derive(Debug)]
pub(crate) struct Trust {
    pub(super) bundle: TrustBundle,
    pub(super) verified: Verified,
}

impl Material {
    /// Makes ready what the agent gave; `judge` decides about peers that connect to us.
    ///
    /// # Errors
    /// [`MaterialError`] when the leaf, its key or all roots are unusable.
    pub(crate) fn load(
        leaf: &Leaf,
        roots: &Roots,
        judge: Arc<Judge>,
    ) -> Result<Self, MaterialError> {
        let chain = CertificateDer::pem_slice_iter(leaf.certificate.as_bytes())
            .collect::<Result<Vec<_>, _>>()?;
        let bundle = bundle(roots)?;
        let own = chain.first().ok_or(MaterialError::NoLeaf)?;
        let (_, not_after) = bundle.read_leaf(own, PeerRole::Server)?;
        let key = PrivateKeyDer::from_pem_slice(leaf.private_key.as_bytes())?;
        let certified = CertifiedKey::from_der(chain, key, provider())?;
        let certified = Arc::new(SingleCertAndKey::from(certified));
        let trust = Arc::new(Trust {
            bundle,
            verified: Verified::default(),
        });
        let gate = Arc::new(ClientGate::new(&trust, judge));
        let mut inbound = ServerConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&VERSIONS)?
            .with_client_cert_verifier(Arc::<ClientGate>::clone(&gate))
            .with_cert_resolver(Arc::<SingleCertAndKey>::clone(&certified));
        inbound.session_storage = Arc::new(Sessions::default());
        // One for the one that a resumed session uses up.
        inbound.send_tls13_tickets = 1;
        Ok(Self {
            certified,
            not_after,
            trust,
            gate,
            inbound: Arc::new(inbound),
            routes: Routes::default(),
        })
    }

    #[cfg(test)]
    pub(super) const fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// A session for a peer that connected to us, which must show a certificate that core and
    /// the intentions let pass, or resume a session in which it did.
    pub(crate) fn accept(&self) -> Result<Session, rustls::Error> {
        let mut config = Arc::clone(&self.inbound);
        if self.has_expired() {
            let config = Arc::make_mut(&mut config);
            config.session_storage = Arc::new(NoServerSessionStorage {});
            config.send_tls13_tickets = 0;
        }
        UnbufferedServerConnection::new(config).map(Session::server)
    }

    /// Who stands behind a session of [`accept`](Self::accept) whose handshake is complete. If
    /// it was resumed, the right to connect is yet to be judged.
    ///
    /// # Errors
    /// Why the certificate is not good, or no longer.
    pub(crate) fn peer(&self, session: &Session) -> Result<VerifiedPeer, Refusal> {
        self.gate.peer(session.peer_chain())
    }

    /// The way to the instance of a service at `address`, which must prove to be that service.
    pub(crate) fn route(
        &self,
        wanted: &Wanted,
        address: &str,
    ) -> Result<Arc<Route>, rustls::Error> {
        if self.has_expired() {
            return self.new_route(wanted, Resumption::disabled()).map(Arc::new);
        }
        self.routes.get(wanted, address, || {
            self.new_route(wanted, Resumption::in_memory_sessions(TICKETS))
        })
    }

    fn new_route(&self, wanted: &Wanted, resumption: Resumption) -> Result<Route, rustls::Error> {
        let gate = Arc::new(ServerGate::new(&self.trust, wanted.clone()));
        let mut config = ClientConfig::builder_with_provider(Arc::clone(provider()))
            .with_protocol_versions(&VERSIONS)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<ServerGate>::clone(&gate))
            .with_client_cert_resolver(Arc::<SingleCertAndKey>::clone(&self.certified));
        config.resumption = resumption;
        config.enable_sni = false;
        Ok(Route::new(gate, Arc::new(config)))
    }

    /// Whether our leaf is over. Then it has to be shown each time, and refused: peers who
    /// resume would not see it.
    fn has_expired(&self) -> bool {
        now() > self.not_after
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
