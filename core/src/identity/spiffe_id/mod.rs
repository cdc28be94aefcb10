//! The one strict parser from a URI to an identity.

use std::fmt;

use smallvec::SmallVec;

use super::{
    AgentId, Datacenter, DatacenterError, NameError, Namespace, NamespaceError, NodeName,
    Printable, ServiceId, ServiceName, SigningId, TrustDomain, TrustDomainError,
};
use crate::serde_as_text::serde_as_text;

/// A SPIFFE ID in one of the forms that Consul gives to things.
///
/// `Display` gives back the parsed URI byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum SpiffeId {
    /// A client agent.
    Agent(AgentId),
    /// A service.
    Service(ServiceId),
    /// The authority of a trust domain.
    Signing(SigningId),
}

/// Why a URI is no identity.
///
/// Each variant is one rule of the SPIFFE ID standard or of Consul's paths. The text never holds
/// a raw control byte of the URI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpiffeIdError {
    /// The datacenter in the path is none.
    #[error("SPIFFE ID names no datacenter: {0}")]
    Datacenter(DatacenterError),
    /// A path segment is `.` or `..` (SPIFFE-ID §2.2).
    #[error(
        "SPIFFE ID \"{}\" has the path segment \"{segment}\", no \".\" or \"..\" is allowed",
        Printable::new(found)
    )]
    DotSegment {
        /// The whole URI.
        found: String,
        /// The segment.
        segment: String,
    },
    /// A path segment is empty (SPIFFE-ID §2.2).
    #[error(
        "SPIFFE ID \"{}\" has an empty path segment, none is allowed",
        Printable::new(found)
    )]
    EmptySegment {
        /// The whole URI.
        found: String,
    },
    /// There is a fragment (SPIFFE-ID §2).
    #[error(
        "SPIFFE ID \"{}\" has a fragment, none is allowed",
        Printable::new(found)
    )]
    Fragment {
        /// The whole URI.
        found: String,
    },
    /// The service's or node's name is none, or spelled in another way than the only one.
    #[error("SPIFFE ID is misspelled: {0}")]
    Name(NameError),
    /// The namespace in the path is not one we know.
    #[error("SPIFFE ID names another namespace: {0}")]
    Namespace(NamespaceError),
    /// There is a port (SPIFFE-ID §2.1).
    #[error("SPIFFE ID \"{}\" has a port, none is allowed", Printable::new(found))]
    Port {
        /// The whole URI.
        found: String,
    },
    /// There is a query (SPIFFE-ID §2).
    #[error("SPIFFE ID \"{}\" has a query, none is allowed", Printable::new(found))]
    Query {
        /// The whole URI.
        found: String,
    },
    /// The scheme is not `spiffe`.
    #[error(
        "SPIFFE ID \"{}\" does not begin with \"spiffe://\"",
        Printable::new(found)
    )]
    Scheme {
        /// The whole URI.
        found: String,
    },
    /// The path has none of the forms that Consul uses.
    #[error(
        "SPIFFE ID \"{}\" has another path than /ns/<ns>/dc/<dc>/svc/<service>, /agent/client/dc/<dc>/id/<node> or none",
        Printable::new(found)
    )]
    Shape {
        /// The whole URI.
        found: String,
    },
    /// More bytes than SPIFFE allows.
    #[error("SPIFFE ID has {found} bytes, allowed are {allowed}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
        /// The greatest length.
        allowed: usize,
    },
    /// The path ends in `/` (SPIFFE-ID §2.2).
    #[error(
        "SPIFFE ID \"{}\" ends in '/', which is not allowed",
        Printable::new(found)
    )]
    TrailingSlash {
        /// The whole URI.
        found: String,
    },
    /// The host part is no trust domain.
    #[error("SPIFFE ID has no valid trust domain: {0}")]
    TrustDomain(TrustDomainError),
    /// A bare trust domain without a dot: Consul knows no such signing ID.
    #[error(
        "SPIFFE ID \"{}\" is a bare trust domain without a dot, a signing ID needs one",
        Printable::new(found)
    )]
    Undotted {
        /// The whole URI.
        found: String,
    },
    /// There is user information (SPIFFE-ID §2.1).
    #[error(
        "SPIFFE ID \"{}\" has user information before '@', none is allowed",
        Printable::new(found)
    )]
    UserInformation {
        /// The whole URI.
        found: String,
    },
}

impl SpiffeId {
    /// The greatest length in bytes (SPIFFE-ID §2.3).
    pub const MAX_BYTES: usize = 2048;

    /// Reads a SPIFFE ID; bytes are compared as they are.
    ///
    /// # Errors
    /// On everything but the one spelling of an agent's, a service's or a signing identity.
    pub fn parse(uri: &str) -> Result<Self, SpiffeIdError> {
        if uri.len() > Self::MAX_BYTES {
            return Err(SpiffeIdError::TooLong {
                found: uri.len(),
                allowed: Self::MAX_BYTES,
            });
        }
        let found = || uri.to_owned();
        let Some(rest) = uri.strip_prefix("spiffe://") else {
            return Err(SpiffeIdError::Scheme { found: found() });
        };
        match rest.bytes().find(|byte| matches!(byte, b'?' | b'#')) {
            Some(b'?') => return Err(SpiffeIdError::Query { found: found() }),
            Some(_) => return Err(SpiffeIdError::Fragment { found: found() }),
            None => {}
        }
        let Some((host, path)) = rest.split_once('/') else {
            let trust_domain = parse_host(uri, rest)?;
            if !trust_domain.as_str().contains('.') {
                return Err(SpiffeIdError::Undotted { found: found() });
            }
            return Ok(Self::Signing(SigningId::new(trust_domain)));
        };
        parse_path(uri, parse_host(uri, host)?, path)
    }

    /// The trust domain, which every identity has.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        match self {
            Self::Agent(id) => id.trust_domain(),
            Self::Service(id) => id.trust_domain(),
            Self::Signing(id) => id.trust_domain(),
        }
    }

    /// The service, if it is one: agents and the authority never pass for a service.
    #[must_use]
    pub const fn service(&self) -> Option<&ServiceId> {
        match self {
            Self::Service(id) => Some(id),
            Self::Agent(_) | Self::Signing(_) => None,
        }
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agent(id) => id.fmt(f),
            Self::Service(id) => id.fmt(f),
            Self::Signing(id) => id.fmt(f),
        }
    }
}

serde_as_text!(SpiffeId);

impl From<AgentId> for SpiffeId {
    fn from(id: AgentId) -> Self {
        Self::Agent(id)
    }
}

impl From<ServiceId> for SpiffeId {
    fn from(id: ServiceId) -> Self {
        Self::Service(id)
    }
}

impl From<SigningId> for SpiffeId {
    fn from(id: SigningId) -> Self {
        Self::Signing(id)
    }
}

impl SpiffeIdError {
    /// What Consul answers for this URI, byte for byte.
    ///
    /// Control bytes of the URI are escaped; Consul would not have got past its URL parser.
    #[must_use]
    pub fn consul_text(&self, uri: &str) -> String {
        match self {
            Self::Scheme { .. } => "SPIFFE ID must have 'spiffe' scheme".to_owned(),
            _ => format!(
                "SPIFFE ID is not in the expected format: {}",
                Printable::new(uri)
            ),
        }
    }
}

fn parse_host(uri: &str, host: &str) -> Result<TrustDomain, SpiffeIdError> {
    if host.contains('@') {
        return Err(SpiffeIdError::UserInformation {
            found: uri.to_owned(),
        });
    }
    if host.contains(':') {
        return Err(SpiffeIdError::Port {
            found: uri.to_owned(),
        });
    }
    TrustDomain::parse(host).map_err(SpiffeIdError::TrustDomain)
}

fn parse_path(uri: &str, trust_domain: TrustDomain, path: &str) -> Result<SpiffeId, SpiffeIdError> {
    let found = || uri.to_owned();
    if path.is_empty() || path.ends_with('/') {
        return Err(SpiffeIdError::TrailingSlash { found: found() });
    }
    let segments: SmallVec<[&str; 8]> = path.split('/').collect();
    for segment in &segments {
        match *segment {
            "" => return Err(SpiffeIdError::EmptySegment { found: found() }),
            "." | ".." => {
                return Err(SpiffeIdError::DotSegment {
                    found: found(),
                    segment: (*segment).to_owned(),
                });
            }
            _ => {}
        }
    }
    match segments.as_slice() {
        ["ns", namespace, "dc", datacenter, "svc", service] => Ok(ServiceId::new(
            trust_domain,
            Namespace::parse(namespace).map_err(SpiffeIdError::Namespace)?,
            Datacenter::parse(datacenter).map_err(SpiffeIdError::Datacenter)?,
            ServiceName::decode(service).map_err(SpiffeIdError::Name)?,
        )
        .into()),
        ["agent", "client", "dc", datacenter, "id", node] => Ok(AgentId::new(
            trust_domain,
            Datacenter::parse(datacenter).map_err(SpiffeIdError::Datacenter)?,
            NodeName::decode(node).map_err(SpiffeIdError::Name)?,
        )
        .into()),
        _ => Err(SpiffeIdError::Shape { found: found() }),
    }
}

#[cfg(test)]
mod tests;
