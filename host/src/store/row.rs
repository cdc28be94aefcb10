//! What a store keeps: rows in tables, and the changes to them.

use std::fmt;

/// The name of a table, one for each kind of entity that the caller stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKind(&'static str);

impl RowKind {
    /// Names a table. The name is written to the store: changing it later loses the rows.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// The table's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for RowKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One stored entity; key and value are the caller's own encoding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers build rows; a store adds nothing to them"
)]
pub struct Row {
    /// The table.
    pub kind: RowKind,
    /// What is unique in the table.
    pub key: Vec<u8>,
    /// The entity.
    pub value: Vec<u8>,
}

/// One change of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a row is put or it is deleted")]
pub enum Write {
    /// Removes a row; one that is absent stays absent.
    Delete {
        /// The table.
        kind: RowKind,
        /// The row's key.
        key: Vec<u8>,
    },
    /// Adds a row, or replaces the one with its key.
    Put(Row),
}

impl Write {
    /// The table that is changed.
    #[must_use]
    pub fn kind(&self) -> RowKind {
        match self {
            Self::Delete { kind, .. } => *kind,
            Self::Put(row) => row.kind,
        }
    }
}

/// The changes of one revision: all of them become durable, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build batches")]
pub struct Batch {
    /// The revision that these writes lead to; exactly one more than the batch before.
    pub revision: u64,
    /// The changes, in order.
    pub writes: Vec<Write>,
}

/// A digest of the caller's whole state, so that what is loaded can be compared.
pub type StateDigest = [u8; 32];

/// Batches that become durable in one step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "callers build groups")]
pub struct Group {
    /// The batches, their revisions dense and ascending. Without any, a commit does nothing.
    pub batches: Vec<Batch>,
    /// The digest of the state after the last batch.
    pub digest: StateDigest,
}

/// Everything that a store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded {
    /// The revision of the last durable batch, or [`FRESH_REVISION`](super::FRESH_REVISION).
    pub revision: u64,
    /// The digest that came with the last batch; `None` when nothing was ever committed.
    pub digest: Option<StateDigest>,
    /// All rows, by table in the order given at opening, then by key.
    pub rows: Vec<Row>,
}
