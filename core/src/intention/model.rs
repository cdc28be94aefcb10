//! The intention itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use blake2::{Blake2b256, Digest};
use serde::{Deserialize, Serialize};

use super::draft::{CheckedDraft, IntentionDraft, IntentionErrors};
use super::id::IntentionId;
use super::pair::PairKey;
use super::precedence::{Reach, precedence};
use super::stored::Row;
use crate::time::Timestamp;

/// What a rule says about the connections it decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "a layer 4 rule allows or denies")]
pub enum Action {
    /// The connection may be opened.
    Allow,
    /// The connection is refused.
    Deny,
}

impl Action {
    /// `allow` or `deny`, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
        }
    }

    /// The other one.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Allow => Self::Deny,
            Self::Deny => Self::Allow,
        }
    }
}

/// The namespace of one side of a rule.
///
/// There is one namespace so far; a name in all of them can only be `*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[non_exhaustive]
pub enum IntentionNamespace {
    /// Every namespace, `*`.
    #[serde(rename = "*")]
    All,
    /// The namespace `default`.
    #[serde(rename = "default")]
    Default,
}

impl IntentionNamespace {
    /// `*` or `default`, as in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "*",
            Self::Default => "default",
        }
    }
}

/// A rule: source and destination, whether the one may connect to the other, and what people
/// wrote beside it.
///
/// Comes only out of [`propose`](super::IntentionSet::propose), [`from_draft`](Self::from_draft)
/// or a stored row, so it has been checked. About a hundred bytes; clones share the texts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct Intention {
    pub(super) id: Option<IntentionId>,
    pub(super) source_namespace: IntentionNamespace,
    pub(super) source_name: Arc<str>,
    pub(super) destination_namespace: IntentionNamespace,
    pub(super) destination_name: Arc<str>,
    pub(super) action: Action,
    // Most rules carry none of this: one word instead of eight.
    pub(super) remarks: Option<Arc<Remarks>>,
    pub(super) created_at: Timestamp,
    pub(super) updated_at: Timestamp,
    pub(super) create_index: u64,
    pub(super) modify_index: u64,
}

/// What does not take part in a decision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    pub(super) description: String,
    pub(super) default_addr: String,
    pub(super) default_port: i64,
    pub(super) meta: BTreeMap<String, String>,
}

impl Remarks {
    /// `None` when there is nothing to keep.
    pub(super) fn shared(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}

/// When and by which revisions a rule was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "what every stored row carries, filled in by whoever read the row"
)]
pub struct IntentionStamps {
    /// When the rule was made.
    pub created_at: Timestamp,
    /// When the rule was last written.
    pub updated_at: Timestamp,
    /// The revision that made the rule.
    pub create_index: u64,
    /// The revision that last wrote the rule.
    pub modify_index: u64,
}

static NO_META: BTreeMap<String, String> = BTreeMap::new();

impl Intention {
    /// A rule that somebody else stored, for holders of a part of a set (a proxy that watches
    /// its service's rules, an embedding program). `draft.id` is not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with the draft.
    pub fn from_draft(
        draft: &IntentionDraft,
        id: Option<IntentionId>,
        stamps: IntentionStamps,
    ) -> Result<Self, IntentionErrors> {
        Ok(Self::stamped(id, draft.check()?, stamps))
    }

    pub(super) fn stamped(
        id: Option<IntentionId>,
        draft: CheckedDraft,
        stamps: IntentionStamps,
    ) -> Self {
        Self {
            id,
            source_namespace: draft.source_namespace,
            source_name: draft.source_name,
            destination_namespace: draft.destination_namespace,
            destination_name: draft.destination_name,
            action: draft.action,
            remarks: draft.remarks.shared(),
            created_at: stamps.created_at,
            updated_at: stamps.updated_at,
            create_index: stamps.create_index,
            modify_index: stamps.modify_index,
        }
    }

    /// The identifier. Rules made by exact names have none (Consul 1.9 and later).
    #[must_use]
    pub const fn id(&self) -> Option<IntentionId> {
        self.id
    }

    /// Free text, at most 512 bytes.
    #[must_use]
    pub fn description(&self) -> &str {
        self.remarks.as_ref().map_or("", |it| &it.description)
    }

    /// The namespace of the source.
    #[must_use]
    pub const fn source_namespace(&self) -> IntentionNamespace {
        self.source_namespace
    }

    /// The source's name as it was written, or `*`.
    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    /// The namespace of the destination.
    #[must_use]
    pub const fn destination_namespace(&self) -> IntentionNamespace {
        self.destination_namespace
    }

    /// The destination's name as it was written, or `*`.
    #[must_use]
    pub fn destination_name(&self) -> &str {
        &self.destination_name
    }

    /// Allow or deny.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// An address that Consul stores and never uses.
    #[must_use]
    pub fn default_addr(&self) -> &str {
        self.remarks.as_ref().map_or("", |it| &it.default_addr)
    }

    /// A port that Consul stores and never uses; any number.
    #[must_use]
    pub fn default_port(&self) -> i64 {
        self.remarks.as_ref().map_or(0, |it| it.default_port)
    }

    /// The operator's own pairs, at most 64.
    #[must_use]
    pub fn meta(&self) -> &BTreeMap<String, String> {
        self.remarks.as_ref().map_or(&NO_META, |it| &it.meta)
    }

    /// When the rule was made.
    #[must_use]
    pub const fn created_at(&self) -> Timestamp {
        self.created_at
    }

    /// When the rule was last written, changed or not.
    #[must_use]
    pub const fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    /// The revision that made the rule.
    #[must_use]
    pub const fn create_index(&self) -> u64 {
        self.create_index
    }

    /// The revision that last wrote the rule.
    #[must_use]
    pub const fn modify_index(&self) -> u64 {
        self.modify_index
    }

    /// Consul's number, 9 (most exact) to 1: the highest fitting rule decides.
    #[must_use]
    pub fn precedence(&self) -> u8 {
        precedence(
            reach(self.source_namespace, &self.source_name),
            reach(self.destination_namespace, &self.destination_name),
        )
    }

    /// What a rule is unique by.
    #[must_use]
    pub fn key(&self) -> PairKey {
        PairKey::of(self)
    }

    /// Consul's hash: BLAKE2b-256 over the texts without separators, port and precedence left
    /// out (Consul 1.8's writer fails on them silently, and secondaries compare the result).
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let id = self.id.map(|id| id.to_string()).unwrap_or_default();
        let mut hasher = Blake2b256::new();
        for text in [
            id.as_str(),
            self.description(),
            self.source_namespace.as_str(),
            &self.source_name,
            self.destination_namespace.as_str(),
            &self.destination_name,
            "consul",
            self.action.as_str(),
            self.default_addr(),
        ] {
            hasher.update(text);
        }
        for (key, value) in self.meta() {
            hasher.update(key);
            hasher.update(value);
        }
        hasher.finalize().into()
    }
}

/// Consul's sentence: `DENY default/api => default/db (ID: …, Precedence: 9)`; without an
/// identifier that part is left out, as Consul 1.9 does.
impl fmt::Display for Intention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let action = match self.action {
            Action::Allow => "ALLOW",
            Action::Deny => "DENY",
        };
        write!(
            f,
            "{action} {}/{} => {}/{} (",
            self.source_namespace.as_str(),
            self.source_name,
            self.destination_namespace.as_str(),
            self.destination_name,
        )?;
        if let Some(id) = self.id {
            write!(f, "ID: {id}, ")?;
        }
        write!(f, "Precedence: {})", self.precedence())
    }
}

pub(super) fn reach(namespace: IntentionNamespace, name: &str) -> Reach {
    match namespace {
        IntentionNamespace::All => Reach::All,
        IntentionNamespace::Default if name == "*" => Reach::Namespace,
        IntentionNamespace::Default => Reach::Name,
    }
}
