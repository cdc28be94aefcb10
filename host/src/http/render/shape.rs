//! The shapes of entries for those who filter them: what can be selected, as in Consul.
//!
//! Indexes, times, hashes, a proxy's own configuration and a check's definition cannot.

use chancery_core::Shape::{self, Boolean, Fields, Integer, List, Map, Text, Texts};

/// An entry of `/v1/catalog/nodes`.
pub(crate) const NODE: Shape = Fields(&[
    ("ID", Text),
    ("Node", Text),
    ("Address", Text),
    ("Datacenter", Text),
    ("TaggedAddresses", Map(&Text)),
    ("Meta", Map(&Text)),
]);

/// A check, wherever it is listed.
pub(crate) const CHECK: Shape = Fields(&[
    ("Node", Text),
    ("CheckID", Text),
    ("Name", Text),
    ("Status", Text),
    ("Notes", Text),
    ("Output", Text),
    ("ServiceID", Text),
    ("ServiceName", Text),
    ("ServiceTags", Texts),
    ("Type", Text),
]);

/// An instance, as agents and nodes list it.
pub(crate) const SERVICE: Shape = Fields(&[
    ("Kind", Text),
    ("ID", Text),
    ("Service", Text),
    ("Tags", Texts),
    ("Address", Text),
    ("TaggedAddresses", Map(&ADDRESS)),
    ("Meta", Map(&Text)),
    ("Port", Integer),
    ("Weights", WEIGHTS),
    ("EnableTagOverride", Boolean),
    ("Proxy", PROXY),
    ("Connect", CONNECT),
]);

/// An instance with its node, as the catalog lists it.
pub(crate) const CATALOG_SERVICE: Shape = Fields(&[
    ("ID", Text),
    ("Node", Text),
    ("Address", Text),
    ("Datacenter", Text),
    ("TaggedAddresses", Map(&Text)),
    ("NodeMeta", Map(&Text)),
    ("ServiceKind", Text),
    ("ServiceID", Text),
    ("ServiceName", Text),
    ("ServiceTags", Texts),
    ("ServiceAddress", Text),
    ("ServiceTaggedAddresses", Map(&ADDRESS)),
    ("ServiceWeights", WEIGHTS),
    ("ServiceMeta", Map(&Text)),
    ("ServicePort", Integer),
    ("ServiceEnableTagOverride", Boolean),
    ("ServiceProxy", PROXY),
    ("ServiceConnect", CONNECT),
]);

/// An instance with its node and all checks, as health answers list it.
pub(crate) const ENDPOINT: Shape = Fields(&[
    ("Node", NODE),
    ("Service", SERVICE),
    ("Checks", List(&CHECK)),
]);

/// An intention.
pub(crate) const INTENTION: Shape = Fields(&[
    ("ID", Text),
    ("Description", Text),
    ("SourceNS", Text),
    ("SourceName", Text),
    ("DestinationNS", Text),
    ("DestinationName", Text),
    ("SourceType", Text),
    ("Action", Text),
    ("DefaultAddr", Text),
    ("DefaultPort", Integer),
    ("Meta", Map(&Text)),
    ("Precedence", Integer),
]);

const ADDRESS: Shape = Fields(&[("Address", Text), ("Port", Integer)]);

const WEIGHTS: Shape = Fields(&[("Passing", Integer), ("Warning", Integer)]);

const CONNECT: Shape = Fields(&[("Native", Boolean)]);

const MESH_GATEWAY: Shape = Fields(&[("Mode", Text)]);

const PROXY: Shape = Fields(&[
    ("DestinationServiceName", Text),
    ("DestinationServiceID", Text),
    ("LocalServiceAddress", Text),
    ("LocalServicePort", Integer),
    ("Upstreams", List(&UPSTREAM)),
    ("MeshGateway", MESH_GATEWAY),
    ("Expose", EXPOSE),
]);

const UPSTREAM: Shape = Fields(&[
    ("DestinationType", Text),
    ("DestinationNamespace", Text),
    ("DestinationName", Text),
    ("Datacenter", Text),
    ("LocalBindAddress", Text),
    ("LocalBindPort", Integer),
    ("MeshGateway", MESH_GATEWAY),
]);

const EXPOSE: Shape = Fields(&[("Checks", Boolean), ("Paths", List(&EXPOSED_PATH))]);

const EXPOSED_PATH: Shape = Fields(&[
    ("ListenerPort", Integer),
    ("Path", Text),
    ("LocalPathPort", Integer),
    ("Protocol", Text),
    ("ParsedFromCheck", Boolean),
]);
