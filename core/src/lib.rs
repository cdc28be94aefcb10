//! The rules of Chancery as a pure, synchronous state machine.
#![forbid(unsafe_code)]

mod catalog;
mod certificate;
mod duration;
mod identity;
mod intention;
mod local;
mod secret;
mod time;

pub use catalog::{
    Catalog, CatalogChange, CatalogCommand, CatalogError, CatalogTopic, Check, CheckKind,
    CheckStatus, Endpoint, Expose, ExposePath, MeshGatewayMode, NODE_ALIVE_CHECK, Node, NodeId,
    NodeIdError, ProxyConfig, ServiceAddress, ServiceInstance, ServiceKind, Upstream, UpstreamKind,
    UpstreamKindError, Weights,
};
pub use certificate::{
    Algorithms, CaPolicy, CertificateSummary, CheckedCsr, CheckedIntermediate, CheckedLeaf,
    CheckedRoot, CsrPolicy, IntermediateExpectation, Issuer, KeyId, KeyKind, KeyPolicy, KeyUsages,
    LeafExpectation, LeafPolicy, OtherNames, PeerRole, Purposes, Serial, SignatureCheck,
    TrustBundle, VerifiedPeer, Violation, certificates_from_pem, certificates_to_pem,
};
pub use duration::{GoDuration, GoDurationError};
pub use identity::{
    AgentId, CaTier, Datacenter, DatacenterError, NameClass, NameError, Namespace, NamespaceError,
    NodeName, Printable, ServiceId, ServiceName, SigningId, SpiffeId, SpiffeIdError, TrustDomain,
    TrustDomainError, ca_common_name, common_name,
};
pub use intention::{
    Action, By, Decision, DefaultPolicy, Explanation, Flip, HashSeed, Intention, IntentionChange,
    IntentionCommand, IntentionDraft, IntentionError, IntentionErrors, IntentionId,
    IntentionIdError, IntentionNamespace, IntentionSet, NameRef, PairKey, QualifiedName,
    QualifiedNameError, Reason,
};
pub use local::{
    CheckDefinition, CheckError, CheckRegistration, CheckResult, CheckedCheck, CheckedRegistration,
    DefinitionErrors, HttpTarget, LocalAction, LocalError, LocalHealth, LocalService,
    LocalSettings, LocalState, MetaError, MetaPairError, ProbeSpec, ProbeTarget, Registration,
    RegistrationError, SyncKey, WeightsDefinition, WeightsError,
};
pub use secret::{Sealed, Secret};
pub use time::{Instant, Now, Timestamp};
