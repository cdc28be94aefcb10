//! What an agent may be told about its local services, and how often it says it on.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Limits and intervals of [`LocalState`](super::LocalState). Every one has a default.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "built by hosts over its default: a new field has one"
)]
pub struct LocalSettings {
    /// How many services one agent looks after; 100,000.
    pub max_services: usize,
    /// How many checks one service (or the node itself) may have; 64.
    pub max_checks: usize,
    /// How many tags, upstreams, exposed paths or tagged addresses one service may have; 1,024.
    pub max_entries: usize,
    /// How long a name, an id or a tag may be in bytes; 2,048, which a URL's path still carries.
    pub max_name: usize,
    /// How much of a check's output is kept in bytes; 4,096 as in Consul.
    pub max_output: usize,
    /// The ports that sidecars get; 21000 to 21255 as in Consul.
    pub sidecar_ports: RangeInclusive<u16>,
    /// How long a new output waits while the state stays the same; 5 minutes as in Consul
    /// (`check_update_interval`).
    pub output_interval: Duration,
    /// How long to wait before what the catalog did not take is offered again; 5 seconds.
    pub retry_interval: Duration,
}

impl Default for LocalSettings {
    fn default() -> Self {
        Self {
            max_services: 100_000,
            max_checks: 64,
            max_entries: 1_024,
            max_name: 2_048,
            max_output: 4_096,
            sidecar_ports: 21_000..=21_255,
            output_interval: Duration::from_mins(5),
            retry_interval: Duration::from_secs(5),
        }
    }
}
