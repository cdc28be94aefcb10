//! Why a registration, or an update of a check, is refused. The texts are Consul's, to the byte,
//! where Consul has one.

use std::fmt;

use crate::catalog::CheckStatus;

/// Why a registration is refused. Displays the whole body of Consul's answer.
///
/// Consul answers 400 to most of them, and 500 to those about a sidecar or a missing instance:
/// see [`is_request_error`](Self::is_request_error).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrationError {
    /// A check makes no sense.
    #[error("Invalid check: {0}")]
    Check(CheckError),
    /// A state that a check registered by itself starts in is none of the three.
    #[error("Bad check status")]
    CheckStatus {
        /// The state that was given.
        found: String,
    },
    /// The address is one to listen on, not one to connect to.
    #[error("Invalid service address")]
    Address {
        /// The address that was given.
        found: String,
    },
    /// Rules about proxies, gateways and sidecars are broken.
    #[error("{0}")]
    Definition(DefinitionErrors),
    /// Something is more or longer than this agent takes. The text is our own.
    #[error("{what}: {found} found, at most {allowed} allowed")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much there is.
        found: usize,
        /// How much there may be.
        allowed: usize,
    },
    /// The metadata is not acceptable.
    #[error("Invalid Service Meta: {0}")]
    Meta(MetaError),
    /// A check has no name.
    #[error("Missing check name")]
    MissingCheckName,
    /// The service has no name.
    #[error("Missing service name")]
    MissingName,
    /// A check is about an instance that this agent does not have.
    #[error("ServiceID {service_id:?} does not exist")]
    MissingService {
        /// The instance.
        service_id: String,
    },
    /// It is looked after, but the host could not keep it for after a restart. The text is our
    /// own.
    #[error("registered, but not kept for after a restart: {reason}")]
    NotKept {
        /// What the host says.
        reason: String,
    },
    /// A check of the sidecar makes no sense.
    #[error("Bad request: Invalid check in sidecar_service: {0}")]
    SidecarCheck(CheckError),
    /// A state that a check of the sidecar starts in is none of the three.
    #[error("Bad request: Status for checks must 'passing', 'warning', 'critical'")]
    SidecarCheckStatus {
        /// The state that was given.
        found: String,
    },
    /// The sidecar breaks rules about proxies.
    #[error("Bad request: Invalid SidecarService: {0}")]
    SidecarDefinition(DefinitionErrors),
    /// The metadata of the sidecar is not acceptable.
    #[error("Bad request: Invalid SidecarService: {0}")]
    SidecarMeta(MetaError),
    /// The sidecar has no port, and there is none left to give.
    #[error(
        "Bad request: Invalid SidecarService: no port provided for sidecar_service and none left in the configured range [{first}, {last}]"
    )]
    SidecarPorts {
        /// The first port that may be given.
        first: u16,
        /// The last one.
        last: u16,
    },
    /// A state that a check of the service starts in is none of the three.
    #[error("Status for checks must 'passing', 'warning', 'critical'")]
    ServiceCheckStatus {
        /// The state that was given.
        found: String,
    },
    /// A weight is out of range.
    #[error("Invalid Weights: {0}")]
    Weights(WeightsError),
}

impl RegistrationError {
    /// Whether Consul answers 400 to it; 500 otherwise.
    #[must_use]
    pub const fn is_request_error(&self) -> bool {
        !matches!(
            self,
            Self::MissingService { .. }
                | Self::NotKept { .. }
                | Self::SidecarCheck(_)
                | Self::SidecarCheckStatus { .. }
                | Self::SidecarDefinition(_)
                | Self::SidecarMeta(_)
                | Self::SidecarPorts { .. }
        )
    }
}

/// What is wrong with a check.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// It follows another service and probes.
    #[error("Interval cannot be set for Alias checks")]
    AliasWithInterval,
    /// It follows another service and waits for words.
    #[error("TTL must be not be set for Alias checks")]
    AliasWithTtl,
    /// It waits for words and probes.
    #[error("Interval and TTL cannot both be specified")]
    IntervalAndTtl,
    /// It probes, but does not say how often.
    #[error("Interval must be > 0 for Script, HTTP, or TCP checks")]
    MissingInterval,
    /// It says nothing from which its kind follows.
    #[error("TTL must be > 0 for TTL checks")]
    MissingTtl,
    /// The room for its output is negative.
    #[error("MaxOutputMaxSize must be positive")]
    OutputMaxSize,
    /// It is of a kind that this agent does not run. The text is our own.
    #[error(
        "{kind} checks are not run by this agent, only TTL, TCP, HTTP and alias checks of its own services"
    )]
    Unsupported {
        /// The kind.
        kind: &'static str,
    },
}

/// What is wrong with weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The weight of a passing instance is less than 1.
    #[error("Passing must be greater than 0")]
    Passing {
        /// The weight that was given.
        found: i64,
    },
    /// A weight is more than DNS can say.
    #[error("DNS Weight must be between 0 and 65535")]
    TooBig {
        /// The weight that was given.
        found: i64,
    },
    /// The weight of a warning instance is negative.
    #[error("Warning must be greater or equal than 0")]
    Warning {
        /// The weight that was given.
        found: i64,
    },
}

/// What is wrong with metadata.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaError {
    /// A pair is not acceptable.
    #[error("Couldn't load metadata pair ('{key}', '{value}'): {reason}")]
    Pair {
        /// Its key.
        key: String,
        /// Its value, at most as much of it as is allowed.
        value: String,
        /// The rule that it breaks.
        reason: MetaPairError,
    },
    /// There are too many pairs.
    #[error("Node metadata cannot contain more than {allowed} key/value pairs")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many there may be.
        allowed: usize,
    },
}

/// Which rule a pair of metadata breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaPairError {
    /// The key is empty.
    #[error("Key cannot be blank")]
    Blank,
    /// The key has characters other than `[A-Za-z0-9_-]`.
    #[error("Key contains invalid characters")]
    Characters,
    /// The key is too long.
    #[error("Key is too long (limit: {allowed} characters)")]
    KeyTooLong {
        /// How long it may be.
        allowed: usize,
    },
    /// The key belongs to the system.
    #[error("Key prefix 'consul-' is reserved for internal use")]
    Reserved,
    /// The value is too long.
    #[error("Value is too long (limit: {allowed} characters)")]
    ValueTooLong {
        /// How long it may be.
        allowed: usize,
    },
}

/// All rules about proxies, gateways and sidecars that a definition breaks, in Consul's order.
/// Displays as the list that Consul's multi-error library writes, with its two line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DefinitionErrors(Vec<String>);

impl DefinitionErrors {
    /// The errors, if there are any.
    pub(super) fn of(messages: Vec<String>) -> Option<Self> {
        (!messages.is_empty()).then_some(Self(messages))
    }

    /// Each error's text.
    pub fn messages(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for DefinitionErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("1 error occurred:")?,
            count => write!(f, "{count} errors occurred:")?,
        }
        for message in &self.0 {
            write!(f, "\n\t* {message}")?;
        }
        f.write_str("\n\n")
    }
}

/// Why a word about a check is refused, or a deregistration. The texts are Consul's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LocalError {
    /// A word says a state that is none of the three.
    #[error("Invalid check status: '{found}'")]
    InvalidStatus {
        /// The state that was given.
        found: String,
    },
    /// A check is to be deregistered, but its id was not said.
    #[error("CheckID missing")]
    MissingCheckId,
    /// A service is to be deregistered, but its id was not said.
    #[error("ServiceID missing")]
    MissingServiceId,
    /// It is gone, but the host could not strike it from what it keeps for after a restart. The
    /// text is our own.
    #[error("deregistered, but it comes back with a restart: {reason}")]
    NotForgotten {
        /// What the host says.
        reason: String,
    },
    /// It is in maintenance, but the host could not keep that for after a restart. The text is our
    /// own.
    #[error("in maintenance, but not kept for after a restart: {reason}")]
    NotKept {
        /// What the host says.
        reason: String,
    },
    /// The check is unknown, or does not wait for words.
    #[error("CheckID {check_id:?} does not have associated TTL")]
    NotTtl {
        /// The check.
        check_id: String,
    },
    /// There is no such instance.
    #[error("No service registered with ID {service_id:?}")]
    UnknownService {
        /// The instance.
        service_id: String,
    },
}

impl LocalError {
    /// Reads the state that a word about a check says.
    ///
    /// # Errors
    /// [`LocalError::InvalidStatus`].
    pub fn parse_status(text: &str) -> Result<CheckStatus, Self> {
        CheckStatus::parse(text).ok_or_else(|| Self::InvalidStatus {
            found: text.chars().take(64).collect(),
        })
    }
}
