//! Entities as rows of any key-value store.
//!
//! A row is JSON, and the digest is over its bytes. So a row that an earlier version wrote must
//! come out of today's types byte for byte, or a server would not know its own store after an
//! update: a field that is added later is `#[serde(default, skip_serializing_if = …)]` and
//! absent until it says something. Names of fields, kinds and variants never change. Fields that
//! are unknown are skipped here, but the digest misses them: a version that would forget them
//! does not start. `testdata/rows.txt` holds rows of the first format, and a test that they
//! survive.

/// Which table a row belongs to. The tag is part of the stored format and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum RowKind {
    /// The one row of the authority: cluster id and stage.
    Authority,
    /// The configuration of the CA provider.
    CaConfiguration,
    /// A trusted root.
    CaRoot,
    /// A health check.
    Check,
    /// The revision of a topic.
    Index,
    /// An intention.
    Intention,
    /// How long leafs under an issuer may live.
    Lease,
    /// A node.
    Node,
    /// What a provider must remember, sealed.
    ProviderState,
    /// An instance of a service.
    Service,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Node,
        Self::Service,
        Self::Check,
        Self::Intention,
        Self::CaConfiguration,
        Self::CaRoot,
        Self::Authority,
        Self::Lease,
        Self::ProviderState,
        Self::Index,
    ];

    /// The table's name in a store.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::CaConfiguration => "ca_configuration",
            Self::CaRoot => "ca_root",
            Self::Check => "check",
            Self::Index => "index",
            Self::Intention => "intention",
            Self::Lease => "lease",
            Self::Node => "node",
            Self::ProviderState => "provider_state",
            Self::Service => "service",
        }
    }

    /// The kind of the table called `name`.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// One byte that stands for the kind in digests and keys.
    #[must_use]
    pub const fn tag(self) -> u8 {
        match self {
            Self::Authority => 1,
            Self::CaConfiguration => 2,
            Self::CaRoot => 3,
            Self::Check => 4,
            Self::Index => 5,
            Self::Intention => 6,
            Self::Lease => 7,
            Self::Node => 8,
            Self::ProviderState => 9,
            Self::Service => 10,
        }
    }
}

/// A row as a store holds it: opaque bytes under a key that is unique within its kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(clippy::exhaustive_structs, reason = "a row is its three parts")]
pub struct Row {
    /// The table.
    pub kind: RowKind,
    /// The key: a JSON array of the names that identify the entity.
    pub key: Vec<u8>,
    /// The entity as JSON, so that fields can be added and an operator can look at it.
    pub value: Vec<u8>,
}

/// One write to a store: a row to put, or with `value: None` a row to delete.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a write is its three parts")]
pub struct RowWrite {
    /// The table.
    pub kind: RowKind,
    /// The key of the row.
    pub key: Vec<u8>,
    /// The new value; `None` deletes the row.
    pub value: Option<Vec<u8>>,
}

/// JSON of something whose shape is known to be representable: structs and enums of our own
/// with text keys.
pub(super) fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    #[expect(
        clippy::expect_used,
        reason = "fails only for maps with keys that are no text, and our rows have none"
    )]
    serde_json::to_vec(value).expect("rows are representable as JSON")
}
