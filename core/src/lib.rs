//! The rules of Chancery as a pure, synchronous state machine.
//!
//! Who a service is (its SPIFFE ID), what its certificate may say, which root vouches for it,
//! and which service may connect to which: every rule and every decision of Chancery is here,
//! as values that you push inputs into and read outputs from.
//!
//! It is no agent and no server. It opens no file and no socket, reads no clock, draws no random
//! number, starts no thread, and signs nothing: time is the argument `now`, randomness is an
//! argument, and whatever must be done outside comes out as an [`Effect`]. It builds for
//! `wasm32-unknown-unknown` and imports nothing there. There are no cargo features.
//!
//! ```text
//!  wishes, results ─▶ ┌────────────── State ───────────────┐ ─▶ rows for a store
//!  of effects         │ propose: decides, changes nothing  │ ─▶ topics: whom to wake
//!                     │ apply:   commits, decides nothing  │ ─▶ effects to carry out
//!                     │ Authority · Catalog · IntentionSet │
//!                     └─────────────────┬──────────────────┘
//!                                 clone │ (shares all)
//!  connections, CSRs ─▶ a published State: decide, explain, signing view
//! ```
//!
//! # The run loop
//!
//! **Decide and apply in order, store in batches, publish and acknowledge only what is durable,
//! then carry out effects.**
//!
//! 1. [`State::propose`] checks a [`Command`] and answers with [`Changes`]; [`State::apply`]
//!    commits them to the working state and says which rows to write and which [`Topic`]s it touched.
//! 2. Rows go to the store, as many commits at once as have gathered. Should the store fail,
//!    working becomes a clone of what was published last, and nobody is told of success.
//! 3. What is durable is published: a clone, which shares everything with the original.
//!    Readers keep theirs for as long as they like. Only now does a caller get its answer.
//! 4. [`Authority::agenda`] of the *published* state says what is owed. What came of it is
//!    proposed like any wish; a crash in between only makes the same effect come out again.
//!
//! ```
//! use std::collections::{BTreeMap, VecDeque};
//!
//! use chancery_core::{
//!     AuthorityCommand, CaConfiguration, Caller, Command, Effect, HashSeed, Lifetimes, Now,
//!     OperationId, State,
//! };
//! # use chancery_core::{Der, NewIssuer, Sealed, Timestamp};
//! # fn call_the_provider(_: OperationId) -> (NewIssuer, Sealed) {
//! #     let root = NewIssuer {
//! #         id: "aa".into(), name: "Toy".into(), serial_number: 1, signing_key_id: "bb".into(),
//! #         not_before: Timestamp::from_unix(0), not_after: Timestamp::from_unix(1 << 30),
//! #         certificate: Der::new(b"toy"), intermediates: Vec::new(),
//! #         intermediate_life: None, signed_outside: false,
//! #         private_key_type: "ec".into(), private_key_bits: 256,
//! #     };
//! #     (root, Sealed::from_bytes(Vec::new()))
//! # }
//!
//! let now = Now::default();
//! let mut store = BTreeMap::new();
//! let mut working = State::new(HashSeed([1, 2]));
//! let mut published = working.clone();
//! let mut inbox = VecDeque::from([Command::Authority(AuthorityCommand::Bootstrap {
//!     cluster_id: [3; 16],
//!     configuration: CaConfiguration::new("toy", Default::default(), Lifetimes::default()),
//!     operation: OperationId::from_bytes([4; 16]),
//! })]);
//! while !inbox.is_empty() {
//!     let mut batch = Vec::new();
//!     for command in inbox.drain(..) {
//!         let changes = working.propose(command, &Caller::unrestricted(), now)?;
//!         batch.extend(working.apply(&changes)?.rows);
//!     }
//!     for row in batch {
//!         store.insert((row.kind, row.key), row.value); // one transaction, and a sync
//!     }
//!     published = working.clone(); // and the callers get their answers
//!     for effect in published.authority().agenda(now).due {
//!         inbox.push_back(Command::Authority(match effect {
//!             Effect::PrepareIssuer { epoch, operation, .. } => {
//!                 let (issuer, state) = call_the_provider(operation);
//!                 AuthorityCommand::IssuerPrepared { epoch, operation, issuer, state }
//!             }
//!             Effect::ExtendLease { epoch, issuer, until } => {
//!                 AuthorityCommand::ExtendLease { epoch, issuer, until }
//!             }
//!             _ => continue, // the effects of a rotation
//!         }));
//!     } // then sleep until `wake_at`, or until the next command
//! }
//! assert!(published.authority().signing_view().is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where things are
//!
//! | subject | start at |
//! |---|---|
//! | identities and their strict parser | [`SpiffeId`], [`ServiceId`], [`TrustDomain`] |
//! | what a CSR, a leaf, a CA may say; chains | [`CheckedCsr`], [`CheckedLeaf`], [`TrustBundle`], [`Violation`] |
//! | who may connect to whom, and why | [`IntentionSet`], [`Decision`], [`Explanation`] |
//! | roots, epochs, leases, the signing view | [`Authority`], [`Effect`], [`SigningView`] |
//! | nodes, services, checks of a datacenter | [`Catalog`] |
//! | what one agent knows of its own services | [`LocalState`] |
//! | which entries of a list somebody wants | [`Expression`], [`Filter`], [`Shape`] |
//! | all that must survive, as rows | [`State`], [`Row`], [`Digest`] |
#![forbid(unsafe_code)]

mod authority;
mod base64_text;
mod catalog;
mod certificate;
mod duration;
mod filter;
mod identity;
mod intention;
mod local;
mod secret;
mod serde_as_text;
mod state;
mod time;
mod uuid;

pub use authority::{
    Agenda, Authority, AuthorityChange, AuthorityCommand, AuthorityError, AuthorityRecord,
    BUNDLE_MAX_AGE, CaConfiguration, CaRoot, Effect, Epoch, FORGET_HOLD, LONGEST_PATH, Lease, Life,
    Lifetimes, Link, Memory, NewIssuer, OperationId, ProviderState, ROTATION_PATIENCE, Retired,
    Rotation, RotationCause, SigningView, Stage, Step,
};
pub use catalog::{
    Catalog, CatalogChange, CatalogCommand, CatalogError, CatalogTopic, Check, CheckKind,
    CheckStatus, CheckTarget, Endpoint, Expose, ExposePath, MeshGatewayMode, NODE_ALIVE_CHECK,
    Node, NodeId, NodeIdError, ProxyConfig, ServiceAddress, ServiceInstance, ServiceKind, Upstream,
    UpstreamKind, UpstreamKindError, Weights,
};
pub use certificate::{
    Algorithms, CaPolicy, CertificateSummary, CheckedCsr, CheckedIntermediate, CheckedLeaf,
    CheckedRoot, CsrPolicy, Der, IntermediateExpectation, Issuer, KeyId, KeyKind, KeyPolicy,
    KeyUsages, LeafExpectation, LeafPolicy, OtherNames, PeerRole, Purposes, Serial, SignatureCheck,
    TrustBundle, VerifiedPeer, Violation, certificates_from_pem, certificates_to_pem,
};
pub use duration::{GoDuration, GoDurationError};
pub use filter::{Expression, ExpressionError, Filter, FilterError, FilterSpent, Shape};
pub use identity::{
    AgentId, CaTier, Datacenter, DatacenterError, NameClass, NameError, Namespace, NamespaceError,
    NodeName, Printable, ServiceId, ServiceName, SigningId, SpiffeId, SpiffeIdError, TrustDomain,
    TrustDomainError, ca_common_name, common_name,
};
pub use intention::{
    Action, By, Decision, DefaultPolicy, Explanation, Flip, HashSeed, Intention, IntentionChange,
    IntentionCommand, IntentionDraft, IntentionError, IntentionErrors, IntentionId,
    IntentionIdError, IntentionNamespace, IntentionSet, IntentionStamps, NameRef, PairKey,
    QualifiedName, QualifiedNameError, Reason,
};
pub use local::{
    CheckDefinition, CheckError, CheckRegistration, CheckResult, CheckedCheck, CheckedRegistration,
    DefinitionErrors, HttpTarget, LocalAction, LocalError, LocalHealth, LocalService,
    LocalSettings, LocalState, MetaError, MetaPairError, ProbeSpec, ProbeTarget, Registration,
    RegistrationError, SyncKey, WeightsDefinition, WeightsError,
};
pub use secret::{Sealed, Secret};
pub use state::{
    Caller, Change, Changes, Command, Digest, ProposeError, RestoreError, Revision, Row, RowKind,
    RowWrite, State, Topic, Touched, WrongRevision,
};
pub use time::{Instant, Now, Timestamp};
