//! The replicated state: every fact that must survive, and the two steps of changing it.
//!
//! [`State::propose`] decides a [`Command`] against what is known and answers with [`Changes`];
//! [`State::apply`] commits them and says which [`Topic`]s were touched. Between the two nothing
//! else may be applied: changes carry the revision they were decided for, and `apply` refuses
//! any other.

mod caller;
mod changes;
mod command;
mod digest;
mod encode;
mod restore;
mod revision;
mod row;
#[cfg(test)]
mod tests;
mod topic;

pub use caller::Caller;
pub use changes::{Change, Changes};
pub use command::{Command, ProposeError};
pub use digest::Digest;
pub use restore::RestoreError;
pub use revision::Revision;
pub use row::{Row, RowKind, RowWrite};
pub use topic::Topic;

use crate::authority::{Authority, AuthorityChange};
use crate::catalog::{Catalog, CatalogTopic};
use crate::intention::{By, IntentionSet};
use crate::{HashSeed, Now};
use encode::Target;
use topic::{IndexKey, Indexes, touched_rows};

/// All of it. Cloning is cheap: a clone shares everything with the original until one of the two
/// changes, so that a host can work on one clone and let readers keep another.
#[derive(Clone)]
pub struct State {
    revision: Revision,
    authority: Authority,
    catalog: Catalog,
    intentions: IntentionSet,
    indexes: Indexes,
    digest: Digest,
}

/// What a commit touched: whom to wake, and what to write to a store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Touched {
    /// The revision that the state now has.
    pub revision: Revision,
    /// Topics whose index is now this revision, each once, in order.
    pub topics: Vec<Topic>,
    /// The rows to write, entities and indexes, in the order in which they must be written.
    pub rows: Vec<RowWrite>,
}

/// Changes that were decided for another revision than the state's next one.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("changes for revision {found} do not follow revision {current}")]
#[non_exhaustive]
pub struct WrongRevision {
    /// The revision of the changes.
    pub found: Revision,
    /// The revision of the state.
    pub current: Revision,
}

impl State {
    /// A state in which nothing was ever written. The seed protects hash tables from names that
    /// somebody chose to collide: give random numbers.
    #[must_use]
    pub fn new(seed: HashSeed) -> Self {
        Self {
            revision: Revision::EMPTY,
            authority: Authority::default(),
            catalog: Catalog::default(),
            intentions: IntentionSet::new(seed),
            indexes: Indexes::default(),
            digest: Digest::default(),
        }
    }

    /// Decides what `command` changes, without changing anything.
    ///
    /// # Errors
    ///
    /// Says why the command is refused; the state is as before.
    pub fn propose(
        &self,
        command: Command,
        caller: &Caller,
        now: Now,
    ) -> Result<Changes, ProposeError> {
        let revision = self.revision.next();
        let changes = command::decide(self, command, caller, revision, now)?;
        Ok(Changes::new(revision, changes))
    }

    /// Commits what was decided.
    ///
    /// # Errors
    ///
    /// Refuses changes that were decided for another revision; the state is as before.
    pub fn apply(&mut self, changes: &Changes) -> Result<Touched, WrongRevision> {
        let revision = self.revision.next();
        if changes.revision() != revision {
            return Err(WrongRevision {
                found: changes.revision(),
                current: self.revision,
            });
        }
        let mut rows = Vec::with_capacity(changes.len() * 4);
        let mut topics = Vec::new();
        for change in changes.iter() {
            rows.push(self.apply_change(change, &mut topics));
        }
        topics.sort_unstable();
        topics.dedup();
        for topic in &topics {
            let gone = !self.has_subject(topic);
            for (key, index) in touched_rows(topic.clone(), gone, revision) {
                rows.push(self.set_index(key, index));
            }
        }
        self.revision = revision;
        Ok(Touched {
            revision,
            topics,
            rows,
        })
    }

    /// How often the state has been written.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision that last touched `topic`, which is the index of a reader of it. For a name
    /// that is absent: the last revision at which any name of its kind went away.
    #[must_use]
    pub fn index(&self, topic: &Topic) -> Revision {
        self.indexes.index(topic)
    }

    /// A fingerprint over all rows: equal states have equal digests.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The certificate authority.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Nodes, services and checks.
    #[must_use]
    pub const fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// The intentions, which are also the snapshot that decides connections.
    #[must_use]
    pub const fn intentions(&self) -> &IntentionSet {
        &self.intentions
    }

    fn apply_change(&mut self, change: &Change, topics: &mut Vec<Topic>) -> RowWrite {
        let Target { kind, key, value } = Target::of(change);
        if let Some(old) = self.row_before(change) {
            self.digest.remove(kind, &key, &old);
        }
        if let Some(new) = &value {
            self.digest.add(kind, &key, new);
        }
        match change {
            Change::Authority(change) => {
                self.authority.apply(change);
                topics.extend(topic_of(change));
            }
            Change::Catalog(change) => {
                let mut touched = Vec::new();
                self.catalog.apply(change, &mut touched);
                topics.extend(touched.into_iter().map(Topic::from));
            }
            Change::Intention(change) => {
                let key = self.intentions.apply(change.clone());
                topics.push(Topic::Intentions);
                topics.push(Topic::IntentionDestination(key.destination_name().into()));
                topics.push(Topic::IntentionSource(key.source_name().into()));
            }
        }
        RowWrite { kind, key, value }
    }

    /// Whether what a topic is about exists. Topics that are about no single name always do.
    fn has_subject(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Authority
            | Topic::CaConfiguration
            | Topic::CaRoots
            | Topic::Checks
            | Topic::Intentions
            | Topic::Nodes
            | Topic::Services => true,
            Topic::Connect(name) => self.catalog.connect(name).next().is_some(),
            Topic::IntentionDestination(name) => self.intentions.mentions(By::Destination, name),
            Topic::IntentionSource(name) => self.intentions.mentions(By::Source, name),
            Topic::Node(name) => self.catalog.node(name).is_some(),
            Topic::Service(name) => self.catalog.service(name).next().is_some(),
        }
    }

    fn set_index(&mut self, key: IndexKey, index: Option<Revision>) -> RowWrite {
        let key_bytes = row::to_json(&key);
        let value = index.map(|index| row::to_json(&index));
        if let Some(old) = self.indexes.set(key, index) {
            self.digest
                .remove(RowKind::Index, &key_bytes, &row::to_json(&old));
        }
        if let Some(value) = &value {
            self.digest.add(RowKind::Index, &key_bytes, value);
        }
        RowWrite {
            kind: RowKind::Index,
            key: key_bytes,
            value,
        }
    }
}

/// The topic that readers of an authority's row wait for; leases and sealed memories have none.
const fn topic_of(change: &AuthorityChange) -> Option<Topic> {
    match change {
        AuthorityChange::PutConfiguration(_) => Some(Topic::CaConfiguration),
        AuthorityChange::PutRecord(_) => Some(Topic::Authority),
        AuthorityChange::DeleteRoot(_) | AuthorityChange::PutRoot(_) => Some(Topic::CaRoots),
        AuthorityChange::DeleteLease(_)
        | AuthorityChange::DeleteProviderState(_)
        | AuthorityChange::PutLease(_)
        | AuthorityChange::PutProviderState(_) => None,
    }
}

impl From<CatalogTopic> for Topic {
    fn from(topic: CatalogTopic) -> Self {
        match topic {
            CatalogTopic::Checks => Self::Checks,
            CatalogTopic::Connect(name) => Self::Connect(name),
            CatalogTopic::Node(name) => Self::Node(name),
            CatalogTopic::Nodes => Self::Nodes,
            CatalogTopic::Service(name) => Self::Service(name),
            CatalogTopic::Services => Self::Services,
        }
    }
}
