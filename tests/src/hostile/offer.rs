//! A client that offers any chain with any key, in TLS as rustls speaks it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, Error, SignatureScheme, SupportedProtocolVersion};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::HostileCase;
use super::records::{read_record, record};
use crate::mesh::Credulous;

/// A client that shows the case's chain, proves its key, speaks only `version` and believes
/// any server. Nothing is checked, so the chain may be junk and the key another's.
///
/// # Errors
/// When the key is none, or the version is not built in.
pub fn connector(
    case: &HostileCase,
    version: &'static SupportedProtocolVersion,
) -> Result<TlsConnector, Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let key = PrivateKeyDer::try_from(case.key_pkcs8.clone())
        .map_err(|reason| Error::General(reason.to_owned()))?;
    let key = provider.key_provider.load_private_key(key)?;
    let chain = case.chain.iter().cloned().map(CertificateDer::from);
    let shown = Shown(Arc::new(CertifiedKey::new(chain.collect(), key)));
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Credulous))
        .with_client_cert_resolver(Arc::new(shown));
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connection to `target` through somebody who takes each record that the client sends (its
/// type and body) and sends on what `rewrite` makes of it; nothing, where it makes nothing.
///
/// # Errors
/// When `target` cannot be reached.
pub async fn rewritten(
    target: SocketAddr,
    mut rewrite: impl FnMut(u8, Vec<u8>) -> Option<Vec<u8>> + Send + 'static,
) -> io::Result<DuplexStream> {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let (mut from_server, mut to_server) = TcpStream::connect(target).await?.into_split();
    let (mut from_client, mut to_client) = tokio::io::split(far);
    tokio::spawn(async move {
        while let Ok((kind, body)) = read_record(&mut from_client).await {
            if let Some(changed) = rewrite(kind, body) {
                to_server.write_all(&record(kind, &changed)).await?;
            }
        }
        to_server.shutdown().await
    });
    tokio::spawn(async move {
        // However it ends, the client is told.
        drop(tokio::io::copy(&mut from_server, &mut to_client).await);
        to_client.shutdown().await
    });
    Ok(near)
}

/// Always this chain and key.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesClientCert for Shown {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}
