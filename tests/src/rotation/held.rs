//! Peers that took a leaf and the roots once and never ask again.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use chancery_core::{PeerRole, TrustBundle};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, ServerConfig, SignatureScheme,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use super::ca::{Ca, CaRoots, RotationError, Sent, algorithms, now};
use crate::mesh::CredentialsError;

const PATIENCE: Duration = Duration::from_secs(10);

/// A peer with the leaf and the roots of one moment. It verifies others strictly, by these roots
/// alone.
#[derive(Clone, Debug)]
pub struct HeldPeer {
    leaf: Sent,
    bundle: Arc<TrustBundle>,
}

impl HeldPeer {
    /// Takes a leaf for `service` and the roots, once.
    ///
    /// # Errors
    /// [`RotationError`]
    pub async fn take(ca: &Ca, service: &str) -> Result<Self, RotationError> {
        let roots = ca.roots().await?;
        Self::of(ca.leaf(service).await?, &roots)
    }

    /// A peer with this leaf that trusts these roots.
    ///
    /// # Errors
    /// [`RotationError::Violation`]
    pub fn of(leaf: Sent, roots: &CaRoots) -> Result<Self, RotationError> {
        Ok(Self {
            leaf,
            bundle: Arc::new(roots.bundle()?),
        })
    }

    /// What it trusts.
    #[must_use]
    pub fn bundle(&self) -> &TrustBundle {
        &self.bundle
    }

    /// Calls the public listener of a proxy, verifies who answers, and sends a byte there and
    /// back.
    ///
    /// # Errors
    /// When either side refuses the other.
    pub async fn call(&self, public: SocketAddr) -> Result<(), RotationError> {
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(CredentialsError::from)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Strict::new(&self.bundle)))
            .with_client_auth_cert(self.chain()?, self.key()?)
            .map_err(CredentialsError::from)?;
        let connector = TlsConnector::from(Arc::new(config));
        let exchange = async {
            let stream = TcpStream::connect(public).await?;
            let name = ServerName::IpAddress(public.ip().into());
            let mut stream = connector.connect(name, stream).await?;
            stream.write_all(b"?").await?;
            stream.read_exact(&mut [0]).await?;
            Ok::<_, io::Error>(())
        };
        let done = tokio::time::timeout(PATIENCE, exchange).await;
        done.map_err(io::Error::from)??;
        Ok(())
    }

    /// Serves as the application's proxy does: asks for the caller's certificate, verifies it,
    /// and sends back what it gets.
    ///
    /// # Errors
    /// [`RotationError`]
    pub async fn serve(&self) -> Result<HeldServer, RotationError> {
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(CredentialsError::from)?
            .with_client_cert_verifier(Arc::new(Strict::new(&self.bundle)))
            .with_single_cert(self.chain()?, self.key()?)
            .map_err(CredentialsError::from)?;
        HeldServer::start(TlsAcceptor::from(Arc::new(config))).await
    }

    fn chain(&self) -> Result<Vec<CertificateDer<'static>>, CredentialsError> {
        let chain = CertificateDer::pem_slice_iter(self.leaf.chain_pem.as_bytes());
        Ok(chain.collect::<Result<_, _>>()?)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, CredentialsError> {
        Ok(PrivateKeyDer::from_pem_slice(self.leaf.key_pem.as_bytes())?)
    }
}

/// A server of a [`HeldPeer`]. Dropping it closes its port.
#[derive(Debug)]
pub struct HeldServer {
    address: SocketAddr,
    refused: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl HeldServer {
    async fn start(acceptor: TlsAcceptor) -> Result<Self, RotationError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let refused = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&refused);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        count.fetch_add(1, Ordering::SeqCst);
                        return;
                    };
                    let (mut from, mut to) = tokio::io::split(&mut stream);
                    // How a connection ends is the client's to observe.
                    drop(tokio::io::copy(&mut from, &mut to).await);
                });
            }
        });
        Ok(Self {
            address,
            refused,
            task,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many callers it has refused, or has been refused by.
    #[must_use]
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }
}

impl Drop for HeldServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

/// Verifies by core's rules and one bundle.
#[derive(Debug)]
struct Strict {
    bundle: Arc<TrustBundle>,
    provider: Arc<CryptoProvider>,
}

impl Strict {
    fn new(bundle: &Arc<TrustBundle>) -> Self {
        Self {
            bundle: Arc::clone(bundle),
            provider: provider(),
        }
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        behind: &[CertificateDer<'_>],
        role: PeerRole,
    ) -> Result<(), rustls::Error> {
        let chain: Vec<&[u8]> = std::iter::once(leaf)
            .chain(behind)
            .map(AsRef::as_ref)
            .collect();
        let verified = self.bundle.verify_peer(&chain, role, algorithms(), now());
        verified
            .map(|_peer| ())
            .map_err(|violation| rustls::Error::General(violation.to_string()))
    }
}

impl ServerCertVerifier for Strict {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verify(end_entity, intermediates, PeerRole::Server)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

impl ClientCertVerifier for Strict {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        self.verify(end_entity, intermediates, PeerRole::Client)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls12_signature(self, message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        ServerCertVerifier::verify_tls13_signature(self, message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ServerCertVerifier::supported_verify_schemes(self)
    }
}
