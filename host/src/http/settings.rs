//! Where the API may be reached, and its bounds.

use std::time::Duration;

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
    /// Connections of all clients; 4,096.
    pub connections: usize,
    /// Connections of one client (an address, or an IPv6 network of 64 bits); 200, Consul's
    /// `http_max_conns_per_client`.
    pub connections_per_client: usize,
    /// Queries of all clients that wait for something to change; 4,096.
    pub blocked: usize,
    /// Queries of one client that wait; 200.
    pub blocked_per_client: usize,
    /// Bytes of a request's body; 1 MiB. What Consul takes (and refuses by other rules) is
    /// smaller than that.
    pub body: usize,
    /// Bytes of the bodies of all requests that are being answered, the first 16 KiB of each not
    /// counted; 8 MiB.
    pub bodies: usize,
    /// Bytes of a request's head; 64 KiB.
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

impl Default for HttpLimits {
    fn default() -> Self {
        Self {
            connections: 4_096,
            connections_per_client: 200,
            blocked: 4_096,
            blocked_per_client: 200,
            body: 1 << 20,
            bodies: 8 << 20,
            head: 64 << 10,
            headers: 100,
            head_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(120),
            body_time: Duration::from_secs(10),
            body_rate: 1_024,
            write_time: Duration::from_secs(30),
            longest_wait: Duration::from_secs(600),
            default_wait: Duration::from_secs(300),
        }
    }
}
