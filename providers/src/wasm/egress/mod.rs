//! A plugin's way out: HTTP to the hosts that the operator named, and nowhere else.
//!
//! A request passes only if `allow_http` names its host and port. The host resolves the name
//! itself, connects to an address that it has checked, and speaks TLS itself, so that neither an
//! answer of a name server nor a redirect leads anywhere else: redirects are the plugin's to
//! follow, by a request of its own. Each request is one connection.

mod address;
mod allow;
mod exchange;
mod tls;

use std::future::Future;
use std::net::IpAddr;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ClientConfig;
use tracing::Level;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

pub(crate) use self::allow::AllowList;
use super::log_tap::LogTap;
use crate::ProviderError;

/// How much one call of a plugin may do outside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EgressLimits {
    /// Bytes of a request's body.
    pub(crate) request_bytes: usize,
    /// Bytes of an answer's body.
    pub(crate) response_bytes: usize,
    /// Requests in one call.
    pub(crate) requests: u32,
    /// From asking a name server to the last byte of the answer.
    pub(crate) timeout: Duration,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            request_bytes: 1 << 20,
            response_bytes: 1 << 20,
            requests: 16,
            timeout: Duration::from_secs(30),
        }
    }
}

/// What one plugin may reach. Shared by its instances.
pub(crate) struct Egress {
    inner: Arc<Inner>,
}

struct Inner {
    allow: AllowList,
    tls: Option<Arc<ClientConfig>>,
    limits: EgressLimits,
    resolver: Resolver,
    log: Arc<LogTap>,
    counts: Counts,
}

/// What has happened, for metrics.
#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    denied: AtomicU64,
}

type Resolving = Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>>;
type Resolver = fn(String) -> Resolving;

impl Egress {
    /// Reaches the hosts of `allow`. TLS trusts the CAs in `ca_file` alone, or the system's
    /// without one. Reads files only if there is anybody to reach.
    pub(crate) fn new(
        allow: AllowList,
        ca_file: Option<&Path>,
        limits: EgressLimits,
        log: Arc<LogTap>,
    ) -> Result<Self, ProviderError> {
        let nobody = allow.is_empty();
        let tls = (!nobody).then(|| tls::client_config(ca_file)).transpose()?;
        Ok(Self {
            inner: Arc::new(Inner {
                allow,
                tls: tls.map(Arc::new),
                limits,
                resolver: system_resolver,
                log,
                counts: Counts::default(),
            }),
        })
    }

    /// The way out of one instance.
    pub(crate) fn hooks(&self) -> EgressHooks {
        EgressHooks {
            inner: Arc::clone(&self.inner),
            left: 0,
        }
    }

    /// How many requests were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.inner.counts.requests.load(Ordering::Relaxed)
    }

    /// How many were not allowed.
    pub(crate) fn denied(&self) -> u64 {
        self.inner.counts.denied.load(Ordering::Relaxed)
    }
}

impl Inner {
    /// Counts and logs a request that is not sent.
    fn deny(&self, reason: &Denied) -> Error {
        self.counts.denied.fetch_add(1, Ordering::Relaxed);
        self.log.write(Level::WARN, &reason.to_string());
        match reason {
            Denied::Address { .. } => Error::DestinationIpProhibited,
            Denied::Exhausted { .. } => Error::ConnectionLimitReached,
            _ => Error::HttpRequestDenied,
        }
    }
}

/// Why a request was not sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Denied {
    /// Its name leads only where it may not.
    #[error(
        "HTTP request denied: {host} leads to {address}, which is no public address; \
         `{host}:{port}@{address}` in allow_http would permit it"
    )]
    Address {
        host: String,
        port: u16,
        address: IpAddr,
    },
    /// There have been too many in this call.
    #[error("HTTP request denied: a call may send {allowed}")]
    Exhausted { allowed: u32 },
    /// A method that makes a tunnel, or shows what nobody sent.
    #[error("HTTP request denied: the method {method} is not allowed")]
    Method { method: String },
    /// No entry names the host with this port.
    #[error("HTTP request denied: allow_http does not name {authority}")]
    NotListed { authority: String },
    /// The URL names a user, or no host.
    #[error("HTTP request denied: the URL must name a host and nothing else before the path")]
    Url,
}

/// The way out of one instance, which serves one call at a time.
pub(crate) struct EgressHooks {
    inner: Arc<Inner>,
    left: u32,
}

impl EgressHooks {
    /// A call begins: it has all its requests before it.
    pub(crate) fn begin_call(&mut self) {
        self.left = self.inner.limits.requests;
    }
}

type Exchanged = (
    http::Response<WasiBody>,
    Box<dyn Future<Output = Result<(), Error>> + Send>,
);

impl WasiHttpHooks for EgressHooks {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _transmitted: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Exchanged, Error>> + Send> {
        let inner = Arc::clone(&self.inner);
        let Some(left) = self.left.checked_sub(1) else {
            let allowed = inner.limits.requests;
            let error = inner.deny(&Denied::Exhausted { allowed });
            return Box::new(std::future::ready(Err(error)));
        };
        self.left = left;
        Box::new(async move {
            let response = exchange::exchange(&inner, request, options).await?;
            let done = Box::new(std::future::ready(Ok(())));
            Ok((response, done as Box<dyn Future<Output = _> + Send>))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK
    }
}

fn system_resolver(name: String) -> Resolving {
    Box::pin(async move {
        let found = tokio::net::lookup_host((name, 0)).await?;
        Ok(found.map(|address| address.ip()).collect())
    })
}

/// What a plugin may write of a body at once.
const CHUNK: usize = 64 << 10;

#[cfg(test)]
mod tests;
