//! Checks that have been checked: what to do, and what to start from.

use std::collections::BTreeMap;
use std::time::Duration;

use super::definition::CheckDefinition;
use super::error::CheckError;
use crate::catalog::{CheckKind, CheckStatus};

/// How long a probe may take if nothing is said (Consul's 10 s).
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// No probe is repeated faster than that (Consul's `MinInterval`).
const MIN_INTERVAL: Duration = Duration::from_secs(1);
/// No service is removed for a shorter time in trouble (Consul's rule).
const MIN_DEREGISTER_AFTER: Duration = Duration::from_mins(1);

/// A check with its kind decided.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CheckPlan {
    pub(super) check_id: String,
    pub(super) name: String,
    pub(super) status: Option<CheckStatus>,
    pub(super) notes: String,
    pub(super) means: Means,
    pub(super) deregister_after: Option<Duration>,
    pub(super) output_limit: Option<usize>,
}

/// How a check finds out.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Means {
    Alias {
        service_id: String,
    },
    /// Not at all: it says what was said when it was switched on.
    Maintenance,
    Probe(Probing),
    Ttl(Duration),
}

impl Means {
    pub(super) const fn kind(&self) -> CheckKind {
        match self {
            Self::Alias { .. } => CheckKind::Alias,
            Self::Maintenance => CheckKind::Maintenance,
            Self::Probe(probing) => match probing.target {
                ProbeTarget::Http(_) => CheckKind::Http,
                ProbeTarget::Tcp { .. } => CheckKind::Tcp,
            },
            Self::Ttl(_) => CheckKind::Ttl,
        }
    }
}

/// Looking, again and again.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Probing {
    pub(super) target: ProbeTarget,
    pub(super) interval: Duration,
    pub(super) timeout: Duration,
    pub(super) successes: u32,
    pub(super) failures: u32,
}

/// What a probe looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProbeTarget {
    /// A web server is asked. Redirects are not followed.
    Http(Box<HttpTarget>),
    /// A connection is opened and closed.
    Tcp {
        /// Host and port.
        address: String,
    },
}

/// A request that shows how a web server is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpTarget {
    /// Where to send it, as it was said.
    pub url: String,
    /// The method.
    pub method: String,
    /// Its headers.
    pub header: BTreeMap<String, Vec<String>>,
    /// Its body.
    pub body: String,
    /// Whether the server's certificate counts for nothing.
    pub tls_skip_verify: bool,
}

impl CheckDefinition {
    /// Decides its kind, in the order in which Consul looks (`CheckType.Validate`). The id and
    /// the name stay as they were said, the starting state is read by the caller.
    pub(super) fn plan(&self, node: &str) -> Result<CheckPlan, CheckError> {
        let means = self.means(node)?;
        let output_limit = match self.output_max_size {
            ..0 => return Err(CheckError::OutputMaxSize),
            0 => None,
            1.. => usize::try_from(self.output_max_size).ok(),
        };
        Ok(CheckPlan {
            check_id: self.check_id.clone(),
            name: self.name.clone(),
            status: CheckStatus::parse(&self.status),
            notes: self.notes.clone(),
            means,
            deregister_after: self
                .deregister_critical_service_after
                .positive()
                .map(|after| after.max(MIN_DEREGISTER_AFTER)),
            output_limit,
        })
    }

    /// Whether its starting state is one of the three, or was not said.
    pub(super) fn has_known_status(&self) -> bool {
        self.status.is_empty() || CheckStatus::parse(&self.status).is_some()
    }

    fn means(&self, node: &str) -> Result<Means, CheckError> {
        let script = !self.script_args.is_empty();
        let docker = !self.docker_container_id.is_empty();
        let probes = script
            || docker
            || !self.http.is_empty()
            || !self.tcp.is_empty()
            || !self.grpc.is_empty();
        let follows = !self.alias_node.is_empty() || !self.alias_service.is_empty();
        let (interval, ttl) = (self.interval.positive(), self.ttl.positive());
        let means = match (probes, follows, interval, ttl) {
            (_, _, Some(_), Some(_)) => return Err(CheckError::IntervalAndTtl),
            (true, _, None, _) => return Err(CheckError::MissingInterval),
            (true, true, Some(_), _) => return Err(CheckError::AliasWithInterval),
            (false, true, _, Some(_)) => return Err(CheckError::AliasWithTtl),
            (false, false, _, None) => return Err(CheckError::MissingTtl),
            (false, false, _, Some(ttl)) => return Ok(Means::Ttl(ttl)),
            (false, true, _, None) => Means::Alias {
                service_id: self.alias_service.clone(),
            },
            (true, false, Some(interval), _) => Means::Probe(self.probing(interval)),
        };
        let foreign = follows && !self.alias_node.is_empty() && self.alias_node != node;
        let kind = match () {
            () if docker => "docker",
            () if script => "script",
            () if !self.grpc.is_empty() => "gRPC",
            () if foreign => "alias (of another node)",
            () => return Ok(means),
        };
        Err(CheckError::Unsupported { kind })
    }

    fn probing(&self, interval: Duration) -> Probing {
        let target = if self.http.is_empty() {
            ProbeTarget::Tcp {
                address: self.tcp.clone(),
            }
        } else {
            ProbeTarget::Http(Box::new(HttpTarget {
                url: self.http.clone(),
                method: if self.method.is_empty() {
                    "GET".to_owned()
                } else {
                    self.method.clone()
                },
                header: self.header.clone(),
                body: self.body.clone(),
                tls_skip_verify: self.tls_skip_verify,
            }))
        };
        Probing {
            target,
            interval: interval.max(MIN_INTERVAL),
            timeout: self.timeout.positive().unwrap_or(DEFAULT_TIMEOUT),
            successes: self.success_before_passing,
            failures: self.failures_before_critical,
        }
    }
}
