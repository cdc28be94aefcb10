//! What a reader can wait for, and the revision that last touched it.

use std::sync::Arc;

use imbl::OrdMap;
use serde::{Deserialize, Serialize};
use smallvec::{SmallVec, smallvec};

use super::Revision;

/// A part of the state that a blocking query can watch.
///
/// Names are compared as the pieces compare them: intentions without case, all others by bytes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Topic {
    /// What the authority is doing. Apart from the roots, whose many readers a stage of a
    /// rotation does not concern.
    Authority,
    /// The configuration of the CA provider.
    CaConfiguration,
    /// The trusted roots.
    CaRoots,
    /// All checks.
    Checks,
    /// Proxies and native instances through which the named service is reached.
    Connect(Arc<str>),
    /// Intentions whose destination is this name (lower case, or `*`).
    IntentionDestination(Arc<str>),
    /// Intentions whose source is this name (lower case, or `*`).
    IntentionSource(Arc<str>),
    /// All intentions.
    Intentions,
    /// One node with its services and checks.
    Node(Arc<str>),
    /// The list of nodes.
    Nodes,
    /// Instances of the named service and their checks.
    Service(Arc<str>),
    /// The names and tags of all services.
    Services,
}

impl Topic {
    /// The kind of a topic about a name that can disappear; `None` for those that always exist.
    fn extinction(&self) -> Option<Extinction> {
        match self {
            Self::Connect(_) => Some(Extinction::Connect),
            Self::IntentionDestination(_) => Some(Extinction::IntentionDestination),
            Self::IntentionSource(_) => Some(Extinction::IntentionSource),
            Self::Node(_) => Some(Extinction::Node),
            Self::Service(_) => Some(Extinction::Service),
            Self::Authority
            | Self::CaConfiguration
            | Self::CaRoots
            | Self::Checks
            | Self::Intentions
            | Self::Nodes
            | Self::Services => None,
        }
    }
}

/// The index rows that a touch of `topic` changes: its own, or, when the name is `gone`, the
/// one of its kind.
pub(super) fn touched_rows(
    topic: Topic,
    gone: bool,
    revision: Revision,
) -> SmallVec<[(IndexKey, Option<Revision>); 2]> {
    match topic.extinction() {
        Some(kind) if gone => smallvec![
            (IndexKey::Topic(topic), None),
            (IndexKey::Extinct(kind), Some(revision)),
        ],
        _ => smallvec![(IndexKey::Topic(topic), Some(revision))],
    }
}

/// Kinds of names that come and go. Each keeps one revision for all names that are absent, so
/// that memory does not grow with the names ever seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Extinction {
    Connect,
    IntentionDestination,
    IntentionSource,
    Node,
    Service,
}

/// The key of an index row: a topic, or the extinction index of a kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum IndexKey {
    Extinct(Extinction),
    Topic(Topic),
}

/// The revision of every topic. Cloning is cheap and shares.
#[derive(Clone, Default)]
pub(super) struct Indexes {
    rows: OrdMap<IndexKey, Revision>,
}

impl Indexes {
    /// The revision that last touched `topic`; for a name that is absent, the last revision at
    /// which any name of its kind went away.
    pub(super) fn index(&self, topic: &Topic) -> Revision {
        let own = self.rows.get(&IndexKey::Topic(topic.clone())).copied();
        own.or_else(|| {
            let kind = topic.extinction()?;
            self.rows.get(&IndexKey::Extinct(kind)).copied()
        })
        .unwrap_or(Revision::EMPTY)
    }

    pub(super) fn set(&mut self, key: IndexKey, revision: Option<Revision>) -> Option<Revision> {
        let Some(revision) = revision else {
            return self.rows.remove(&key);
        };
        // The key stays: the texts in it are also those of the catalog's.
        match self.rows.get_mut(&key) {
            Some(known) => Some(std::mem::replace(known, revision)),
            None => self.rows.insert(key, revision),
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = (&IndexKey, &Revision)> {
        self.rows.iter()
    }
}
