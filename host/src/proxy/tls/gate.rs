//! Who may pass a handshake: core's certificate policy, and for clients the intentions.
//!
//! The chain is judged when it arrives, the right to connect only after the peer has proved
//! that it holds the key: a stranger with a copy of a certificate learns nothing about the
//! rules. A gate serves one connection, so that what it found can be asked for afterwards.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_core::{PeerRole, ServiceId, Timestamp, VerifiedPeer, Violation};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use crate::proxy::judge::{Judge, Verdict};
use crate::proxy::tls::material::{Trust, provider};

/// What a gate found out about its peer.
#[derive(Debug, Default)]
struct Found {
    peer: Option<VerifiedPeer>,
    refusal: Option<String>,
}

#[derive(Debug)]
struct Gate {
    trust: Arc<Trust>,
    algorithms: WebPkiSupportedAlgorithms,
    found: Mutex<Found>,
}

impl Gate {
    fn new(trust: &Arc<Trust>) -> Self {
        Self {
            trust: Arc::clone(trust),
            algorithms: provider().signature_verification_algorithms,
            found: Mutex::default(),
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        behind: &[CertificateDer<'_>],
        role: PeerRole,
    ) -> Result<VerifiedPeer, Error> {
        let chain: Vec<&[u8]> = std::iter::once(leaf.as_ref())
            .chain(behind.iter().map(AsRef::as_ref))
            .collect();
        let now = now();
        let Trust { bundle, verified } = self.trust.as_ref();
        let checked = verified.peer(&chain, role, now, || {
            bundle.verify_peer(&chain, role, self.algorithms.all, now)
        });
        match checked {
            Ok(peer) => {
                self.note(|found| found.peer = Some(peer.clone()));
                Ok(peer)
            }
            Err(violation) => {
                self.note(|found| found.refusal = Some(violation.to_string()));
                Err(Error::InvalidCertificate(alert_for(&violation)))
            }
        }
    }

    fn refuse(&self, reason: String) -> Error {
        self.note(|found| found.refusal = Some(reason));
        Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
    }

    fn note(&self, change: impl FnOnce(&mut Found)) {
        change(&mut self.found.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn peer(&self) -> Option<VerifiedPeer> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.peer.clone()
    }

    fn refusal(&self) -> Option<String> {
        let found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.refusal.clone()
    }
}

fn now() -> Timestamp {
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
            gate: Gate::new(trust),
            judge,
        }
    }

    /// The peer, if its chain was good. Proven only when the handshake is complete.
    pub(crate) fn peer(&self) -> Option<VerifiedPeer> {
        self.gate.peer()
    }

    /// Why the gate stayed shut.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.gate.refusal()
    }

    fn judge(&self) -> Result<(), Error> {
        let verdict = match self.gate.peer() {
            Some(peer) => self.judge.verdict(peer.id()),
            None => Verdict::Denied("no certificate was verified".to_owned()),
        };
        match verdict {
            Verdict::Allowed | Verdict::Ask => Ok(()),
            Verdict::Denied(reason) => Err(self.gate.refuse(reason)),
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
        self.gate
            .verify(end_entity, intermediates, PeerRole::Client)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_tls12_signature(message, cert, dss, &self.gate.algorithms)?;
        self.judge().map(|()| valid)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let valid = verify_tls13_signature(message, cert, dss, &self.gate.algorithms)?;
        self.judge().map(|()| valid)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.gate.algorithms.supported_schemes()
    }
}

/// The service that an outbound connection must reach, and no other.
#[derive(Clone, Debug, PartialEq, Eq)]
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
            gate: Gate::new(trust),
            wanted,
        }
    }

    /// Why the gate stayed shut.
    pub(crate) fn refusal(&self) -> Option<String> {
        self.gate.refusal()
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
        let peer = self
            .gate
            .verify(end_entity, intermediates, PeerRole::Server)?;
        if self.wanted.is(peer.id()) {
            return Ok(ServerCertVerified::assertion());
        }
        Err(self.gate.refuse(format!(
            "peer certificate mismatch got {}, want {}/ns/default/dc/{}/svc/{}",
            peer.id(),
            self.gate.trust.bundle.trust_domain(),
            self.wanted.datacenter,
            self.wanted.service
        )))
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
