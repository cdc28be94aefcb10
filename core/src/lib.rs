//! The rules of Chancery as a pure, synchronous state machine.
#![forbid(unsafe_code)]

mod certificate;
mod identity;
mod intention;
mod secret;
mod time;

pub use certificate::{
    Algorithms, CaPolicy, CertificateSummary, CheckedCsr, CheckedIntermediate, CheckedLeaf,
    CheckedRoot, CsrPolicy, IntermediateExpectation, Issuer, KeyId, KeyKind, KeyPolicy, KeyUsages,
    LeafExpectation, LeafPolicy, OtherNames, PeerRole, Purposes, Serial, SignatureCheck,
    TrustBundle, VerifiedPeer, Violation, certificates_from_pem, certificates_to_pem,
};
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
pub use secret::{Sealed, Secret};
pub use time::{Instant, Now, Timestamp};
