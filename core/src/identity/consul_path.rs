//! The three identities that Consul knows, each with its path.

use std::fmt;

use super::{Datacenter, Namespace, NodeName, ServiceName, TrustDomain};

/// A service: `spiffe://<td>/ns/<ns>/dc/<dc>/svc/<service>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServiceId {
    trust_domain: TrustDomain,
    namespace: Namespace,
    datacenter: Datacenter,
    service: ServiceName,
}

impl ServiceId {
    /// Puts an identity together; its parts have been checked.
    #[must_use]
    pub const fn new(
        trust_domain: TrustDomain,
        namespace: Namespace,
        datacenter: Datacenter,
        service: ServiceName,
    ) -> Self {
        Self {
            trust_domain,
            namespace,
            datacenter,
            service,
        }
    }

    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The namespace.
    #[must_use]
    pub const fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The datacenter.
    #[must_use]
    pub const fn datacenter(&self) -> &Datacenter {
        &self.datacenter
    }

    /// The service's name.
    #[must_use]
    pub const fn service(&self) -> &ServiceName {
        &self.service
    }
}

impl fmt::Display for ServiceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/ns/{}/dc/{}/svc/{}",
            self.trust_domain,
            self.namespace,
            self.datacenter,
            self.service.encoded()
        )
    }
}

/// A client agent: `spiffe://<td>/agent/client/dc/<dc>/id/<node>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AgentId {
    trust_domain: TrustDomain,
    datacenter: Datacenter,
    node: NodeName,
}

impl AgentId {
    /// Puts an identity together; its parts have been checked.
    #[must_use]
    pub const fn new(trust_domain: TrustDomain, datacenter: Datacenter, node: NodeName) -> Self {
        Self {
            trust_domain,
            datacenter,
            node,
        }
    }

    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The datacenter.
    #[must_use]
    pub const fn datacenter(&self) -> &Datacenter {
        &self.datacenter
    }

    /// The node's name.
    #[must_use]
    pub const fn node(&self) -> &NodeName {
        &self.node
    }
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "spiffe://{}/agent/client/dc/{}/id/{}",
            self.trust_domain,
            self.datacenter,
            self.node.encoded()
        )
    }
}

/// The signing authority of a trust domain: `spiffe://<td>`, with no path (X509-SVID §2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SigningId {
    trust_domain: TrustDomain,
}

impl SigningId {
    /// The authority of `trust_domain`.
    #[must_use]
    pub const fn new(trust_domain: TrustDomain) -> Self {
        Self { trust_domain }
    }

    /// The trust domain.
    #[must_use]
    pub const fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }
}

impl fmt::Display for SigningId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.trust_domain)
    }
}
