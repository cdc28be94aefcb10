//! Who somebody is: SPIFFE IDs for services, agents and the signing authority.
//!
//! There is one strict parser ([`SpiffeId::parse`]). It compares bytes, decodes a segment at
//! most once, and accepts only the one spelling that Consul emits, so that two identities are
//! equal exactly when their URIs are. Everything else in the crate works with the types here and
//! never with a URI's text.

mod common_name;
mod consul_path;
mod datacenter;
mod name;
mod printable;
mod spiffe_id;
mod trust_domain;

pub use common_name::{CaTier, ca_common_name, common_name};
pub use consul_path::{AgentId, ServiceId, SigningId};
pub use datacenter::{Datacenter, DatacenterError, Namespace, NamespaceError};
pub use name::{NameClass, NameError, NodeName, ServiceName};
pub use printable::Printable;
pub use spiffe_id::{SpiffeId, SpiffeIdError};
pub use trust_domain::{TrustDomain, TrustDomainError};
