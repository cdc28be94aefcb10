//! The core's rows as the store's.

use chancery_core::{Row, RowKind, RowWrite};

use crate::store;

/// The tables that a store needs.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses an index out of bounds"
)]
pub const TABLES: [store::RowKind; RowKind::ALL.len()] = {
    let mut tables = [to_kind(RowKind::Authority); RowKind::ALL.len()];
    let mut place = 0;
    while place < tables.len() {
        tables[place] = to_kind(RowKind::ALL[place]);
        place += 1;
    }
    tables
};

/// One write.
pub(super) fn to_write(write: RowWrite) -> store::Write {
    let RowWrite { kind, key, value } = write;
    let kind = to_kind(kind);
    match value {
        Some(value) => store::Write::Put(store::Row { kind, key, value }),
        None => store::Write::Delete { kind, key },
    }
}

/// A row that was stored; `None` for a table that the core does not know.
pub(super) fn from_row(row: store::Row) -> Option<Row> {
    Some(Row {
        kind: RowKind::from_name(row.kind.name())?,
        key: row.key,
        value: row.value,
    })
}

const fn to_kind(kind: RowKind) -> store::RowKind {
    store::RowKind::new(kind.name())
}
