//! `/v1/connect/intentions…`: who may connect to whom.

mod body;
mod matching;
mod read;
mod write;

pub(super) use matching::{check, matching};
pub(super) use read::{by_id, exact, list, pair};
pub(super) use write::{create, delete, delete_exact, update, upsert_exact};
