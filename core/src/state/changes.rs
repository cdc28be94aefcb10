//! What a decision changes.

use crate::authority::AuthorityChange;
use crate::catalog::CatalogChange;
use crate::intention::IntentionChange;

use super::Revision;

/// One change of one entity: a row put or deleted.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(
    clippy::large_enum_variant,
    reason = "changes live for the moment of a commit, and those of an authority are rare"
)]
pub enum Change {
    /// Of the certificate authority.
    Authority(AuthorityChange),
    /// Of a node, a service or a check.
    Catalog(CatalogChange),
    /// Of an intention.
    Intention(IntentionChange),
}

/// A decision: what [`State::propose`](super::State::propose) decided and
/// [`State::apply`](super::State::apply) commits.
///
/// It holds the outcome, not the wish: a replay gives the same state whatever the rules are by
/// then.
#[derive(Clone, Debug, PartialEq)]
pub struct Changes {
    revision: Revision,
    changes: Vec<Change>,
}

impl Changes {
    pub(super) const fn new(revision: Revision, changes: Vec<Change>) -> Self {
        Self { revision, changes }
    }

    /// The revision that the state has after these changes.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The changes, in the order in which they apply.
    pub fn iter(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter()
    }

    /// How many entities change.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether the decision was that nothing needs to change. Such changes need not be applied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
