//! What an intention is unique by.

use serde::{Deserialize, Serialize};

use super::model::{Intention, IntentionNamespace};
use super::names::fold;

/// What an intention is unique by: both sides, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PairKey {
    source_ns: IntentionNamespace,
    source_name: Box<str>,
    destination_ns: IntentionNamespace,
    destination_name: Box<str>,
}

impl PairKey {
    pub(super) fn of(intention: &Intention) -> Self {
        Self {
            source_ns: intention.source_namespace,
            source_name: fold(&intention.source_name).as_ref().into(),
            destination_ns: intention.destination_namespace,
            destination_name: fold(&intention.destination_name).as_ref().into(),
        }
    }

    /// The namespace of the source.
    #[must_use]
    pub const fn source_namespace(&self) -> IntentionNamespace {
        self.source_ns
    }

    /// The source's name in lower case, or `*`.
    #[must_use]
    pub fn source_name(&self) -> &str {
        &self.source_name
    }

    /// The namespace of the destination.
    #[must_use]
    pub const fn destination_namespace(&self) -> IntentionNamespace {
        self.destination_ns
    }

    /// The destination's name in lower case, or `*`.
    #[must_use]
    pub fn destination_name(&self) -> &str {
        &self.destination_name
    }
}
