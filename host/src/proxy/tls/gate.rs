//! Who may pass: core's certificate policy, for clients the intentions, for servers the service
//! wanted.
//!
//! In a handshake the chain is judged when it arrives, the right to connect only after the peer
//! has proved that it holds the key: a stranger with a copy of a certificate learns nothing about
//! the rules. A resumed session shows no certificate, so [`ClientGate::peer`] and
//! [`ServerGate::check`] judge what its first handshake proved once more, by the rules of today.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_core::{PeerRole, ServiceId, Timestamp, VerifiedPeer, Violation};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::proxy::judge::{Judge, Verdict};
use crate::proxy::tls::material::{Trust, provider};

thread_local! {
    /// rustls takes nothing but an alert from a verifier, and calls it on the thread that hands
    /// it the peer's bytes. What there is to say besides waits here until that call returns.
    static REFUSAL: RefCell<Option<Refusal>> = const { RefCell::new(None) };
}

/// Why a gate stayed shut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// Who the peer is, where its certificate is good.
    pub(crate) peer: Option<ServiceId>,
    pub(crate) reason: String,
}

impl Refusal {
    /// What a gate has to say about the call into rustls that just failed on this thread.
    pub(super) fn take() -> Option<Self> {
        REFUSAL.with(RefCell::take)
    }

    fn of_certificate(violation: &Violation) -> Self {
        Self {
            peer: None,
            reason: violation.to_string(),
        }
    }

    fn leave(self, alert: CertificateError) -> Error {
        REFUSAL.with(|slot| slot.replace(Some(self)));
        Error::InvalidCertificate(alert)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Refusal {}

#[derive(Debug)]
struct Gate {
    trust: Arc<Trust>,
    role: PeerRole,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Gate {
    fn new(trust: &Arc<Trust>, role: PeerRole) -> Self {
        Self {
            trust: Arc::clone(trust),
            role,
            algorithms: provider().signature_verification_algorithms,
        }
    }

    fn verify(&self, chain: &[&[u8]]) -> Result<VerifiedPeer, Violation> {
        let now = now();
        let Trust { bundle, verified } = self.trust.as_ref();
        verified.peer(chain, self.role, now, || {
            bundle.verify_peer(chain, self.role, self.algorithms.all, now)
        })
    }

    /// The same in a handshake under way.
    fn verify_shown(
        &self,
        leaf: &CertificateDer<'_>,
        behind: &[CertificateDer<'_>],
    ) -> Result<VerifiedPeer, Error> {
        let chain: Vec<&[u8]> = std::iter::once(leaf.as_ref())
            .chain(behind.iter().map(AsRef::as_ref))
            .collect();
        self.verify(&chain)
            .map_err(|violation| Refusal::of_certificate(&violation).leave(alert_for(&violation)))
    }

    /// The same for a session whose handshake is complete, resumed or not.
    fn verify_proven(&self, chain: &[CertificateDer<'_>]) -> Result<VerifiedPeer, Refusal> {
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        self.verify(&chain)
            .map_err(|violation| Refusal::of_certificate(&violation))
    }
}

pub(super) fn now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

/// The alert that tells an honest peer's operator most: rustls makes it from this.
const fn alert_for(violation: &Violation) -> CertificateError {
    match violation {
        Violation::Expired { .. } => CertificateError::Expired,
        Violation::NotYetValid { .. } => CertificateError::NotValidYet,
        Violation::UnknownIssuer { .. } => CertificateError::UnknownIssuer,
        _ => CertificateError::BadEncoding,
    }
}

/// Guards the public listener.
#[derive(Debug)]
pub(crate) struct ClientGate {
    gate: Gate,
    judge: Arc<Judge>,
}

impl ClientGate {
    pub(crate) fn new(trust: &Arc<Trust>, judge: Arc<Judge>) -> Self {
        Self {
            gate: Gate::new(trust, PeerRole::Client),
            judge,
        }
    }

    /// The peer behind a session whose handshake is complete. Its right to connect has been
    /// judged only if the session is new.
    ///
    /// # Errors
    /// Why its certificate is not good, or no longer.
    pub(crate) fn peer(&self, chain: &[CertificateDer<'_>]) -> Result<VerifiedPeer, Refusal> {
        self.gate.verify_proven(chain)
    }

    /// Judges the right of a peer whose chain was found good in this handshake.
    fn judge(&self, leaf: &CertificateDer<'_>) -> Result<(), Error> {
        let read = self.gate.trust.bundle.read_leaf(leaf, PeerRole::Client);
        let peer = read.ok().map(|(peer, _)| peer);
        let verdict = match &peer {
            Some(peer) => self.judge.verdict(peer),
            None => Verdict::Denied("no identity was verified".to_owned()),
        };
        match verdict {
            Verdict::Allowed | Verdict::Ask => Ok(()),
            Verdict::Denied(reason) => {
                let alert = CertificateError::ApplicationVerificationFailure;
                Err(Refusal { peer, reason }.leave(alert))
            }
        }
    }
}

impl ClientCertVerifier for ClientGate {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.gate.verify_shown(end_entity, intermediates)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_tls12_signature(message, cert, dss, &self.gate.algorithms)?;
        self.judge(cert).map(|()| valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_tls13_signature(message, cert, dss, &self.gate.algorithms)?;
        self.judge(cert).map(|()| valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.gate.algorithms.supported_schemes()
    }
}

/// The service that an outbound connection must reach, and no other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Wanted {
    pub(crate) service: String,
    pub(crate) datacenter: String,
}

impl Wanted {
    fn is(&self, id: &ServiceId) -> bool {
        id.service().as_str() == self.service && id.datacenter().as_str() == self.datacenter
    }
}

/// Guards outbound connections: no byte of payload leaves before it lets pass.
#[derive(Debug)]
pub(crate) struct ServerGate {
    gate: Gate,
    wanted: Wanted,
}

impl ServerGate {
    pub(crate) fn new(trust: &Arc<Trust>, wanted: Wanted) -> Self {
        Self {
            gate: Gate::new(trust, PeerRole::Server),
            wanted,
        }
    }

    /// Judges the peer behind a session whose handshake is complete, resumed or not.
    ///
    /// # Errors
    /// Why it is not to be spoken to.
    pub(crate) fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), Refusal> {
        self.check_wanted(&self.gate.verify_proven(chain)?)
    }

    fn check_wanted(&self, peer: &VerifiedPeer) -> Result<(), Refusal> {
        if self.wanted.is(peer.id()) {
            return Ok(());
        }
        Err(Refusal {
            peer: Some(peer.id().clone()),
            reason: format!(
                "peer certificate mismatch got {}, want {}/ns/default/dc/{}/svc/{}",
                peer.id(),
                self.gate.trust.bundle.trust_domain(),
                self.wanted.datacenter,
                self.wanted.service
            ),
        })
    }
}

impl ServerCertVerifier for ServerGate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let peer = self.gate.verify_shown(end_entity, intermediates)?;
        self.check_wanted(&peer)
            .map_err(|refusal| refusal.leave(CertificateError::ApplicationVerificationFailure))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.gate.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.gate.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.gate.algorithms.supported_schemes()
    }
}
