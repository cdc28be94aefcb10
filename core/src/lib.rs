//! The rules of Chancery as a pure, synchronous state machine.
#![forbid(unsafe_code)]

mod intention;
mod secret;
mod time;

pub use intention::{
    Action, By, Decision, DefaultPolicy, Explanation, Flip, HashSeed, Intention, IntentionChange,
    IntentionCommand, IntentionDraft, IntentionError, IntentionErrors, IntentionId,
    IntentionIdError, IntentionNamespace, IntentionSet, IntentionStamps, NameRef, PairKey,
    QualifiedName, QualifiedNameError, Reason,
};
pub use secret::{Sealed, Secret};
pub use time::{Instant, Now, Timestamp};
