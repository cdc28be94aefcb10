//! Tests of the whole: the set against a naive model, and Consul's texts.

mod commands;
mod model;
mod precedence_table;
mod properties;

use super::*;
use crate::time::{Now, Timestamp};

fn id(number: u32) -> IntentionId {
    let mut bytes = [0; 16];
    bytes[12..].copy_from_slice(&number.to_be_bytes());
    IntentionId::from_bytes(bytes)
}

/// A draft from `source`, `destination` (each may carry a namespace) and `action`.
fn draft(source: &str, destination: &str, action: &str) -> IntentionDraft {
    let split = |side: &str| match side.split_once('/') {
        Some((namespace, name)) => (namespace.to_owned(), name.to_owned()),
        None => (String::new(), side.to_owned()),
    };
    let (source_ns, source_name) = split(source);
    let (destination_ns, destination_name) = split(destination);
    IntentionDraft {
        source_ns,
        source_name,
        destination_ns,
        destination_name,
        action: action.to_owned(),
        ..IntentionDraft::default()
    }
}

fn at(seconds: i64) -> Now {
    Now {
        wall: Timestamp::from_unix(seconds),
        ..Now::default()
    }
}

/// Proposes and applies one command at the time of its revision.
fn write(
    set: &mut IntentionSet,
    command: &IntentionCommand,
    revision: u64,
) -> Result<Vec<PairKey>, IntentionError> {
    let now = at(i64::try_from(revision).unwrap());
    let changes = set.propose(command, &|_| true, revision, now)?;
    Ok(changes.into_iter().map(|it| set.apply(it)).collect())
}

fn create(set: &mut IntentionSet, number: u32, source: &str, destination: &str, action: &str) {
    let command = IntentionCommand::Create {
        id: id(number),
        draft: draft(source, destination, action),
    };
    write(set, &command, u64::from(number) + 2).unwrap();
}

fn empty() -> IntentionSet {
    IntentionSet::new(HashSeed([3, 4]))
}

fn texts(rows: &[&Intention]) -> Vec<String> {
    let side = |namespace: IntentionNamespace, name: &str| match namespace {
        IntentionNamespace::Default => name.to_owned(),
        IntentionNamespace::All => format!("*/{name}"),
    };
    rows.iter()
        .map(|row| {
            format!(
                "{} {} => {}",
                row.action().as_str(),
                side(row.source_namespace(), row.source_name()),
                side(row.destination_namespace(), row.destination_name()),
            )
        })
        .collect()
}
