//! The configuration of an agent: files in HCL or JSON with Consul's names, and flags over them.
//!
//! [`Config::load`] reads every source and reports everything that is wrong at once, each mistake
//! with file, line and column. What Consul knows and this version does not act on is accepted
//! with one warning; what nobody knows is a mistake with a suggestion.
//!
//! Sources are laid over each other as in Consul: files in the order given (a folder's in the
//! order of their names), then flags. Later settings win, maps are joined, services appended.
//!
//! Where this differs from Consul on purpose:
//! - `server` is true unless said otherwise, because this version runs servers only.
//! - `bootstrap_expect` above 1 and `acl.enabled` are refused: an agent that only seemed to have
//!   peers or access control would be worse than none.
//! - Keys of our own: `seal_key_file`, `http_config.allowed_hosts`, and the `http_max_…` ones of
//!   [`Limits`].

mod connect;
pub mod hcl;
mod keys;
mod layer;
mod limits;
mod load;
mod names;
mod problem;
mod read;
mod report;
mod resolve;
mod suggestion;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;

use chancery_core::{Datacenter, NodeId, NodeName};

pub use self::connect::{CaConfig, CaSettings};
pub use self::limits::Limits;
pub use self::load::{FileFormat, FlagValue, Sources, services_in};
pub(crate) use self::problem::{Problem, ProblemKind, Problems};
pub(crate) use self::read::Reader;
pub use self::report::{Origin, Remark, Report};
use crate::definition::ServiceDefinition;
use crate::telemetry::LogLevel;

/// Everything an agent has to be told, checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Whether everything is in memory and nothing survives.
    pub dev: bool,
    /// Where state is kept; `None` in dev mode only.
    pub data_dir: Option<PathBuf>,
    /// Where CA plugins are found by name; `None` if there are none to be chosen from.
    pub plugin_dir: Option<PathBuf>,
    /// The key that seals secrets in the store; made in `data_dir` if `None`.
    pub seal_key_file: Option<PathBuf>,
    /// The datacenter.
    pub datacenter: Datacenter,
    /// This agent's node.
    pub node: NodeSettings,
    /// Where and how the HTTP API is served.
    pub http: HttpSettings,
    /// The mesh and its CA.
    pub connect: ConnectSettings,
    /// What holds when no intention matches.
    pub default_intention_policy: DefaultIntentionPolicy,
    /// The services to register at start.
    pub services: Vec<ServiceDefinition>,
    /// The ports from which sidecars get theirs.
    pub sidecar_ports: RangeInclusive<u16>,
    /// What is logged and how.
    pub log: LogSettings,
    /// What the agent bears.
    pub limits: Limits,
    /// Whether debugging endpoints are served.
    pub enable_debug: bool,
}

/// Who the agent is.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct NodeSettings {
    /// Its name; the machine's if not said.
    pub name: NodeName,
    /// Its identifier; the agent makes and keeps one if not said.
    pub id: Option<NodeId>,
    /// What its owner says about it.
    pub meta: BTreeMap<String, String>,
    /// The address that listeners without one of their own take.
    pub bind_address: IpAddr,
    /// The address that others reach it at; `None` means that the agent must find out.
    pub advertise_address: Option<IpAddr>,
}

/// The HTTP API.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpSettings {
    /// Where it listens; empty if it is switched off.
    pub listeners: Vec<SocketAddr>,
    /// Where it listens in the file system.
    pub sockets: Vec<PathBuf>,
    /// Who may connect there, as `chmod` takes it.
    pub socket_mode: u32,
    /// Host names, lower case, under which it may be asked besides addresses and `localhost`.
    pub allowed_hosts: Vec<String>,
}

/// The mesh.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnectSettings {
    /// Whether there is one.
    pub enabled: bool,
    /// Who signs.
    pub ca: CaSettings,
}

/// What is logged and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogSettings {
    /// The least level that is logged.
    pub level: LogLevel,
    /// Whether each line is a JSON object.
    pub json: bool,
}

/// What holds when no intention matches (Consul's `default_intention_policy`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a connection may happen or not")]
pub enum DefaultIntentionPolicy {
    /// The connection may happen.
    #[default]
    Allow,
    /// The connection is refused.
    Deny,
}
