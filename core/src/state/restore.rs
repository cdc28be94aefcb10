//! The state as rows, and back.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use crate::HashSeed;
use crate::authority::AuthorityChange;
use crate::catalog::CatalogChange;
use crate::intention::IntentionChange;

use super::encode::Target;
use super::row::to_json;
use super::{Change, Revision, Row, RowKind, State};

/// Why rows do not make a state.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A row is not what its table holds.
    #[error("the {} row {key} cannot be read: {reason}", .kind.name())]
    Unreadable {
        /// The table.
        kind: RowKind,
        /// The key, escaped.
        key: String,
        /// What the decoder said.
        reason: String,
    },
}

impl State {
    /// The state that `rows` hold, at `revision`. The order of the rows does not matter.
    ///
    /// # Errors
    ///
    /// Names the first row that cannot be read. A state that is only partly readable is not
    /// returned: whatever is missing from it would be a rule that no longer holds.
    pub fn restore(
        seed: HashSeed,
        revision: Revision,
        rows: impl IntoIterator<Item = Row>,
    ) -> Result<Self, RestoreError> {
        let mut state = Self::new(seed);
        for row in rows {
            state.restore_row(&row)?;
        }
        state.revision = revision;
        Ok(state)
    }

    /// All rows, sorted by table and key: a snapshot. [`State::restore`] makes the same state of
    /// them, to the digest.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let authority = &self.authority;
        let catalog = &self.catalog;
        let authority_rows = (authority.record().cloned().map(AuthorityChange::PutRecord))
            .into_iter()
            .chain(
                authority
                    .configuration()
                    .cloned()
                    .map(AuthorityChange::PutConfiguration),
            )
            .chain(authority.roots().cloned().map(AuthorityChange::PutRoot))
            .chain(authority.leases().cloned().map(AuthorityChange::PutLease))
            .chain(
                authority
                    .provider_states()
                    .cloned()
                    .map(AuthorityChange::PutProviderState),
            )
            .map(Change::Authority);
        let catalog_rows = (catalog.nodes().cloned().map(CatalogChange::PutNode))
            .chain(
                catalog
                    .instances()
                    .cloned()
                    .map(|it| CatalogChange::PutService(Arc::new(it))),
            )
            .chain(
                catalog
                    .checks()
                    .cloned()
                    .map(|it| CatalogChange::PutCheck(Arc::new(it))),
            )
            .map(Change::Catalog);
        let intention_rows = self
            .intentions
            .sorted()
            .into_iter()
            .map(|it| Change::Intention(IntentionChange::Put(it.clone())));
        let mut rows: Vec<Row> = authority_rows
            .chain(catalog_rows)
            .chain(intention_rows)
            .filter_map(|change| {
                let Target { kind, key, value } = Target::of(&change);
                value.map(|value| Row { kind, key, value })
            })
            .collect();
        rows.extend(self.indexes.rows().map(|(key, index)| Row {
            kind: RowKind::Index,
            key: to_json(key),
            value: to_json(index),
        }));
        rows.sort_unstable();
        rows
    }

    fn restore_row(&mut self, row: &Row) -> Result<(), RestoreError> {
        let change = match row.kind {
            RowKind::Authority => Change::Authority(AuthorityChange::PutRecord(read(row)?)),
            RowKind::CaConfiguration => {
                Change::Authority(AuthorityChange::PutConfiguration(read(row)?))
            }
            RowKind::CaRoot => Change::Authority(AuthorityChange::PutRoot(read(row)?)),
            RowKind::Check => Change::Catalog(CatalogChange::PutCheck(read(row)?)),
            RowKind::Index => return self.restore_index(row),
            RowKind::Intention => Change::Intention(IntentionChange::Put(read(row)?)),
            RowKind::Lease => Change::Authority(AuthorityChange::PutLease(read(row)?)),
            RowKind::Node => Change::Catalog(CatalogChange::PutNode(read(row)?)),
            RowKind::ProviderState => {
                Change::Authority(AuthorityChange::PutProviderState(read(row)?))
            }
            RowKind::Service => Change::Catalog(CatalogChange::PutService(read(row)?)),
        };
        self.apply_change(&change, &mut Vec::new());
        Ok(())
    }

    fn restore_index(&mut self, row: &Row) -> Result<(), RestoreError> {
        let key = serde_json::from_slice(&row.key).map_err(|error| unreadable(row, &error))?;
        self.set_index(key, Some(read(row)?));
        Ok(())
    }
}

fn read<T: DeserializeOwned>(row: &Row) -> Result<T, RestoreError> {
    serde_json::from_slice(&row.value).map_err(|error| unreadable(row, &error))
}

fn unreadable(row: &Row, error: &serde_json::Error) -> RestoreError {
    RestoreError::Unreadable {
        kind: row.kind,
        key: String::from_utf8_lossy(&row.key).escape_debug().to_string(),
        reason: error.to_string(),
    }
}
