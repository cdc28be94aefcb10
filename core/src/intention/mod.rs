//! Intentions: which service may open connections to which.
//!
//! An [`Intention`] allows or denies one source to reach one destination; either side may be a
//! wildcard. [`IntentionSet`] holds any number of them, decides in a small, fixed number of
//! look-ups, and is persistent: a clone is a snapshot that later writes do not touch, so the
//! set that the writer works on is also what readers hold. [`propose`](IntentionSet::propose)
//! checks a wish and says what would change; [`put`](IntentionSet::put) and
//! [`delete`](IntentionSet::delete) carry changes out without asking again, so that a replay
//! never depends on today's rules.
//!
//! Names compare as in Consul 1.8: rules are unique and found by source and destination
//! *without* regard to case, but for a decision the source must be spelled as in the rule.
//! `WEB` cannot have a rule beside `web`, and a connection from `WEB` is not covered by the
//! rule for `web`: it falls to the wildcards.
//!
//! ```
//! use chancery_core::{
//!     DefaultPolicy, HashSeed, IntentionCommand, IntentionDraft, IntentionId, IntentionSet, Now,
//! };
//!
//! let mut set = IntentionSet::new(HashSeed([1, 2]));
//! let command = IntentionCommand::Create {
//!     id: IntentionId::from_bytes([7; 16]),
//!     draft: IntentionDraft {
//!         source_name: "web".into(),
//!         destination_name: "db".into(),
//!         action: "deny".into(),
//!         ..IntentionDraft::default()
//!     },
//! };
//! for change in set.propose(&command, &|_| true, 2, Now::default())? {
//!     set.apply(change);
//! }
//! assert!(!set.decide("web", "db", DefaultPolicy::Allow).allowed());
//! assert!(set.decide("api", "db", DefaultPolicy::Allow).allowed());
//! # Ok::<(), chancery_core::IntentionError>(())
//! ```

mod command;
mod decision;
mod draft;
mod evaluation;
mod explanation;
mod id;
mod index;
mod model;
mod names;
mod paged;
mod pair;
mod precedence;
mod sharded;
mod stored;
#[cfg(test)]
mod tests;

pub use command::{IntentionChange, IntentionCommand, IntentionError};
pub use decision::{Decision, DefaultPolicy, Reason};
pub use draft::{IntentionDraft, IntentionErrors};
pub use explanation::{Explanation, Flip};
pub use id::{IntentionId, IntentionIdError};
pub use index::{By, IntentionSet};
pub use model::{Action, Intention, IntentionNamespace, IntentionStamps};
pub use names::{HashSeed, NameRef, QualifiedName, QualifiedNameError};
pub use pair::PairKey;
