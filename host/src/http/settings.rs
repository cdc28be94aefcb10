//! Where the API may be reached, and its bounds.

use std::time::Duration;

use crate::config::Limits;

/// How the API is served. What it says about its agent is the agent's own settings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Names besides IP addresses and `localhost` that requests may be addressed to.
    pub host_names: Vec<String>,
    /// The bounds.
    pub limits: HttpLimits,
    /// The port that `/v1/status/leader` names (Consul's `ports.server`); 8300. Nothing of ours
    /// listens there.
    pub server_port: u16,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            host_names: Vec::new(),
            limits: HttpLimits::default(),
            server_port: 8_300,
        }
    }
}

/// What one client, and all of them together, may take. Whatever is more is refused, or the
/// connection is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpLimits {
    /// Connections of all clients; 10,000.
    pub connections: usize,
    /// Connections of one client (an address, or an IPv6 network of 64 bits); 200, Consul's
    /// `http_max_conns_per_client`.
    pub connections_per_client: usize,
    /// Queries of all clients that wait for something to change; 10,000.
    pub blocked: usize,
    /// Queries of one client that wait; as many as its connections, of which each has one at
    /// most.
    pub blocked_per_client: usize,
    /// Bytes of a request's body; 512 KiB, what one of Consul's writes may carry.
    pub body: usize,
    /// Bytes of the bodies of all requests that are being answered, the first 16 KiB of each not
    /// counted; 8 MiB.
    pub bodies: usize,
    /// Bytes of a request's head, of which 8 KiB are always allowed; 64 KiB.
    pub head: usize,
    /// Headers of a request; 100.
    pub headers: usize,
    /// How long a head may take to arrive, from its first byte, and the first byte from the
    /// opening of the connection; 10 s.
    pub head_time: Duration,
    /// How long a connection may lie idle between two requests; 2 minutes.
    pub idle_time: Duration,
    /// How long a body may take that comes at the slowest rate; on top of this, a second for
    /// each [`body_rate`](Self::body_rate) bytes; 10 s.
    pub body_time: Duration,
    /// The slowest rate at which a body may come, in bytes per second; 1,024.
    pub body_rate: usize,
    /// How long a client may take no byte of an answer; 30 s.
    pub write_time: Duration,
    /// The longest wait of a blocking query; 10 minutes as in Consul.
    pub longest_wait: Duration,
    /// The wait of a blocking query that does not say how long; 5 minutes as in Consul.
    pub default_wait: Duration,
}

impl HttpLimits {
    /// Bytes that a head may surely have.
    pub(super) const fn largest_head(&self) -> usize {
        if self.head > SMALLEST_BUFFER {
            self.head
        } else {
            SMALLEST_BUFFER
        }
    }
}

/// Hyper reads heads into no smaller a buffer.
const SMALLEST_BUFFER: usize = 8_192;

/// What the configuration says, and our own bounds where it has no key.
impl From<&Limits> for HttpLimits {
    fn from(limits: &Limits) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let per_client = match limits.http_max_conns_per_client {
            // Consul's way to say "any number".
            0 => usize::MAX,
            number => count(number),
        };
        Self {
            connections: count(limits.http_max_connections),
            connections_per_client: per_client,
            blocked: count(limits.http_max_blocked_queries),
            blocked_per_client: per_client,
            body: limits.http_max_body_bytes,
            bodies: 8 << 20,
            head: limits.http_max_header_bytes,
            headers: 100,
            head_time: limits.http_header_timeout,
            idle_time: Duration::from_secs(120),
            body_time: Duration::from_secs(10),
            body_rate: 1_024,
            write_time: Duration::from_secs(30),
            longest_wait: limits.max_query_time,
            default_wait: limits.default_query_time,
        }
    }
}

impl Default for HttpLimits {
    fn default() -> Self {
        Self::from(&Limits::default())
    }
}
