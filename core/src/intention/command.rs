//! Wishes, the rules they must keep, and the changes that come of them.

use serde::{Deserialize, Serialize};

use super::draft::{CheckedDraft, IntentionDraft, IntentionErrors};
use super::id::{IntentionId, IntentionIdError};
use super::index::IntentionSet;
use super::model::{Intention, IntentionStamps};
use super::names::{QualifiedName, QualifiedNameError};
use super::pair::PairKey;
use crate::time::Now;

/// What a caller wants done with the intentions.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IntentionCommand {
    /// Make a rule.
    Create {
        /// The new rule's identifier, from the caller's randomness.
        id: IntentionId,
        /// The rule.
        draft: IntentionDraft,
    },
    /// Remove the rule with an identifier.
    Delete {
        /// The identifier as the caller wrote it.
        id: String,
    },
    /// Remove the rule for a pair; no error if there is none.
    DeleteExact {
        /// The source: `name` or `namespace/name`, either may be `*`.
        source: String,
        /// The destination, likewise.
        destination: String,
    },
    /// Replace the rule with an identifier by another, which may be for another pair.
    Update {
        /// The identifier as the caller wrote it.
        id: String,
        /// The rule; what is empty here is empty afterwards.
        draft: IntentionDraft,
    },
    /// Make or replace the rule for a pair (Consul 1.9). Both sides and the identifier in the
    /// draft are ignored; a rule that has an identifier keeps it, a new one gets none.
    UpsertExact {
        /// The source: `name` or `namespace/name`, either may be `*`.
        source: String,
        /// The destination, likewise.
        destination: String,
        /// The rule. Its `meta` must be empty, or what the rule has already.
        draft: IntentionDraft,
    },
}

/// One step of what a command comes to; carried out by [`IntentionSet::apply`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a row is put or deleted")]
pub enum IntentionChange {
    /// Remove the rule for a pair.
    Delete(PairKey),
    /// Add a rule, or replace the one for its pair.
    Put(Intention),
}

/// Why a command was refused; the texts are Consul's unless it has none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IntentionError {
    /// The pair has a rule already, in whatever case.
    #[error("duplicate intention found: {0}")]
    Duplicate(Box<Intention>),
    /// The draft breaks rules; all of them are listed.
    #[error(transparent)]
    Draft(#[from] IntentionErrors),
    /// The identifier is none.
    #[error("Intention lookup failed: failed intention lookup: index error: {0}")]
    Id(IntentionIdError),
    /// A draft for a new rule came with an identifier.
    #[error("ID must be empty when creating a new intention")]
    IdGiven,
    /// The identifier for the new rule belongs to another one: ask again with another.
    #[error("intention id {0} is taken")]
    IdTaken(IntentionId),
    /// `meta` on a rule without it, by exact names.
    #[error("Meta must not be specified")]
    MetaGiven,
    /// `meta` other than the rule has, by exact names.
    #[error("Meta must not be specified, or should be unchanged during an update.")]
    MetaChanged,
    /// A side given by name has two slashes or more.
    #[error("{field} {text:?} is invalid: {error}")]
    Name {
        /// `source` or `destination`.
        field: &'static str,
        /// What was given.
        text: String,
        /// What is wrong with it.
        error: QualifiedNameError,
    },
    /// The caller may not write intentions for this destination.
    #[error("Permission denied")]
    PermissionDenied,
    /// No rule has the identifier that should be deleted.
    #[error("Cannot delete non-existent intention: '{0}'")]
    UnknownOnDelete(String),
    /// No rule has the identifier that should be updated.
    #[error("Cannot modify non-existent intention: '{0}'")]
    UnknownOnUpdate(String),
}

impl IntentionSet {
    /// Checks a command against the rules and decides what would change.
    ///
    /// `may_write` says whether the caller may write intentions for a destination; it is asked
    /// as Consul asks: on update about the new destination first, then, once the rule is
    /// known to exist, about the old one. `revision` is the one this write will have.
    ///
    /// # Errors
    /// The first reason in Consul's order to refuse the command.
    pub fn propose(
        &self,
        command: &IntentionCommand,
        may_write: &dyn Fn(&str) -> bool,
        revision: u64,
        now: Now,
    ) -> Result<Vec<IntentionChange>, IntentionError> {
        let write = Write {
            set: self,
            may_write,
            revision,
            now,
        };
        match command {
            IntentionCommand::Create { id, draft } => write.create(*id, draft),
            IntentionCommand::Delete { id } => write.delete(id),
            IntentionCommand::DeleteExact {
                source,
                destination,
            } => write.delete_exact(source, destination),
            IntentionCommand::Update { id, draft } => write.update(id, draft),
            IntentionCommand::UpsertExact {
                source,
                destination,
                draft,
            } => write.upsert_exact(source, destination, draft),
        }
    }
}

struct Write<'a> {
    set: &'a IntentionSet,
    may_write: &'a dyn Fn(&str) -> bool,
    revision: u64,
    now: Now,
}

type Outcome = Result<Vec<IntentionChange>, IntentionError>;

impl Write<'_> {
    fn create(&self, id: IntentionId, draft: &IntentionDraft) -> Outcome {
        self.permit(&draft.destination_name)?;
        if !draft.id.is_empty() {
            return Err(IntentionError::IdGiven);
        }
        let new = self.row(Some(id), draft.check()?);
        self.refuse_duplicate(&new, None)?;
        if self.set.by_id(id).is_some() {
            return Err(IntentionError::IdTaken(id));
        }
        Ok(vec![IntentionChange::Put(new)])
    }

    fn update(&self, id: &str, draft: &IntentionDraft) -> Outcome {
        self.permit(&draft.destination_name)?;
        let old = self
            .find(id)?
            .ok_or_else(|| IntentionError::UnknownOnUpdate(id.into()))?;
        self.permit(old.destination_name())?;
        let new = self.replacing(old, draft.check()?);
        self.refuse_duplicate(&new, Some(old))?;
        let (old_key, new_key) = (old.key(), new.key());
        let moved = (old_key != new_key).then_some(IntentionChange::Delete(old_key));
        Ok(moved
            .into_iter()
            .chain([IntentionChange::Put(new)])
            .collect())
    }

    fn delete(&self, id: &str) -> Outcome {
        let old = self
            .find(id)?
            .ok_or_else(|| IntentionError::UnknownOnDelete(id.into()))?;
        self.permit(old.destination_name())?;
        Ok(vec![IntentionChange::Delete(old.key())])
    }

    fn upsert_exact(&self, source: &str, destination: &str, draft: &IntentionDraft) -> Outcome {
        let source = qualified("source", source)?;
        let destination = qualified("destination", destination)?;
        self.permit(destination.name())?;
        let mut draft = IntentionDraft {
            source_ns: source.namespace().to_owned(),
            source_name: source.name().to_owned(),
            destination_ns: destination.namespace().to_owned(),
            destination_name: destination.name().to_owned(),
            ..draft.clone()
        };
        let old = self.set.exact(source, destination);
        let meta = old.map(Intention::meta).filter(|meta| !meta.is_empty());
        match meta {
            _ if draft.meta.is_empty() => (),
            None => return Err(IntentionError::MetaGiven),
            Some(meta) if *meta != draft.meta => return Err(IntentionError::MetaChanged),
            Some(_) => (),
        }
        draft.meta = meta.cloned().unwrap_or_default();
        let checked = draft.check()?;
        let new = match old {
            Some(old) => self.replacing(old, checked),
            None => self.row(None, checked),
        };
        Ok(vec![IntentionChange::Put(new)])
    }

    fn delete_exact(&self, source: &str, destination: &str) -> Outcome {
        let source = qualified("source", source)?;
        let destination = qualified("destination", destination)?;
        self.permit(destination.name())?;
        let old = self.set.exact(source, destination);
        let change = old.map(|old| IntentionChange::Delete(old.key()));
        Ok(change.into_iter().collect())
    }

    fn permit(&self, destination: &str) -> Result<(), IntentionError> {
        if (self.may_write)(destination) {
            Ok(())
        } else {
            Err(IntentionError::PermissionDenied)
        }
    }

    fn find(&self, id: &str) -> Result<Option<&Intention>, IntentionError> {
        let id = IntentionId::parse(id).map_err(IntentionError::Id)?;
        Ok(self.set.by_id(id))
    }

    fn refuse_duplicate(
        &self,
        new: &Intention,
        own: Option<&Intention>,
    ) -> Result<(), IntentionError> {
        match self.set.at(&new.key()) {
            Some(other) if own.is_none_or(|own| own.id() != other.id()) => {
                Err(IntentionError::Duplicate(Box::new(other.clone())))
            }
            _ => Ok(()),
        }
    }

    fn row(&self, id: Option<IntentionId>, draft: CheckedDraft) -> Intention {
        let stamps = IntentionStamps {
            created_at: self.now.wall,
            updated_at: self.now.wall,
            create_index: self.revision,
            modify_index: self.revision,
        };
        Intention::stamped(id, draft, stamps)
    }

    fn replacing(&self, old: &Intention, draft: CheckedDraft) -> Intention {
        let stamps = IntentionStamps {
            created_at: old.created_at(),
            updated_at: self.now.wall,
            create_index: old.create_index(),
            modify_index: self.revision,
        };
        Intention::stamped(old.id(), draft, stamps)
    }
}

fn qualified<'a>(field: &'static str, text: &'a str) -> Result<QualifiedName<'a>, IntentionError> {
    QualifiedName::parse(text).map_err(|error| IntentionError::Name {
        field,
        text: text.to_owned(),
        error,
    })
}
