//! Every bound of the proxy in one place.

use std::time::Duration;

/// What a proxy allows itself and its peers. Each can be set in the registration's
/// `Proxy.Config` under the key named with it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How long a peer may take for the TLS handshake (`handshake_timeout_ms`; 5 s).
    pub handshake_timeout: Duration,
    /// What a peer may send before its handshake is complete, in bytes (64 KiB; not
    /// configurable: a chain of the permitted 32 KiB fits twice).
    pub handshake_bytes: usize,
    /// Handshakes under way, all sources together (`max_handshakes`; 1,024). One more drops
    /// the oldest, so that strangers who connect and wait do not keep others out.
    pub handshakes: usize,
    /// Handshakes under way from one source address (`max_handshakes_per_source`; 256).
    pub handshakes_per_source: usize,
    /// Open inbound connections, and open outbound ones of each upstream
    /// (`max_inbound_connections`, as Envoy's under Consul; 32,768).
    pub connections: usize,
    /// Open inbound connections from one source address (`max_connections_per_source`; 16,384).
    pub connections_per_source: usize,
    /// How long the local application may take to accept (`local_connect_timeout_ms`; 1 s,
    /// as Consul's).
    pub local_connect_timeout: Duration,
    /// How long a connection may carry no byte in either direction (`idle_timeout_ms`; one
    /// hour; 0 means for ever).
    pub idle_timeout: Option<Duration>,
    /// How many endpoints an outbound connection tries (`max_connect_attempts`; 3).
    pub connect_attempts: usize,
    /// How old certificates, roots and intentions may be when the agent does not answer,
    /// before new connections are refused (`max_agent_silence_ms`; 72 hours, the life of a
    /// leaf).
    pub agent_silence: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_timeout: Duration::from_secs(5),
            handshake_bytes: 64 * 1024,
            handshakes: 1024,
            handshakes_per_source: 256,
            connections: 32_768,
            connections_per_source: 16_384,
            local_connect_timeout: Duration::from_secs(1),
            idle_timeout: Some(Duration::from_secs(3600)),
            connect_attempts: 3,
            agent_silence: Duration::from_secs(72 * 3600),
        }
    }
}
