//! Every bound that an operator may move, with its default.

use std::time::Duration;

use super::layer::{LimitsLayer, Setting};

/// What one agent is willing to bear. Each field is a key of `limits { … }` unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections from one address to the HTTP API; 0 means any number (Consul: 200).
    pub http_max_conns_per_client: u32,
    /// Connections to the HTTP API in all (ours: 10,000).
    pub http_max_connections: u32,
    /// Requests that wait for a change at the same time (ours: 10,000).
    pub http_max_blocked_queries: u32,
    /// Bytes of a request's body (ours: 512 KiB, what one of Consul's writes may carry).
    pub http_max_body_bytes: usize,
    /// Bytes of a request's head (ours: 64 KiB).
    pub http_max_header_bytes: usize,
    /// How long a client may take to send a request's head (ours: 10 s).
    pub http_header_timeout: Duration,
    /// How long a request waits that names no `wait` (top-level key `default_query_time`, 300 s).
    pub default_query_time: Duration,
    /// The longest `wait` that is honoured (top-level key `max_query_time`, 600 s).
    pub max_query_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            http_max_conns_per_client: 200,
            http_max_connections: 10_000,
            http_max_blocked_queries: 10_000,
            http_max_body_bytes: 512 * 1024,
            http_max_header_bytes: 64 * 1024,
            http_header_timeout: Duration::from_secs(10),
            default_query_time: Duration::from_secs(300),
            max_query_time: Duration::from_secs(600),
        }
    }
}

impl Limits {
    pub(super) fn resolve(layer: &LimitsLayer) -> Self {
        let default = Self::default();
        let or = |setting: &Option<Setting<Duration>>, default| {
            setting.as_ref().map_or(default, |setting| setting.value)
        };
        let count = |setting: &Option<Setting<u32>>, default| {
            setting.as_ref().map_or(default, |setting| setting.value)
        };
        let bytes = |setting: &Option<Setting<u32>>, default: usize| {
            setting
                .as_ref()
                .and_then(|setting| usize::try_from(setting.value).ok())
                .unwrap_or(default)
        };
        Self {
            http_max_conns_per_client: count(
                &layer.http_max_conns_per_client,
                default.http_max_conns_per_client,
            ),
            http_max_connections: count(&layer.http_max_connections, default.http_max_connections),
            http_max_blocked_queries: count(
                &layer.http_max_blocked_queries,
                default.http_max_blocked_queries,
            ),
            http_max_body_bytes: bytes(&layer.http_max_body_bytes, default.http_max_body_bytes),
            http_max_header_bytes: bytes(
                &layer.http_max_header_bytes,
                default.http_max_header_bytes,
            ),
            http_header_timeout: or(&layer.http_header_timeout, default.http_header_timeout),
            default_query_time: or(&layer.default_query_time, default.default_query_time),
            max_query_time: or(&layer.max_query_time, default.max_query_time),
        }
    }
}
