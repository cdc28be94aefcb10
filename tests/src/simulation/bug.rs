//! Mistakes that are planted to see whether the simulation finds them.

use chancery_core::{AuthorityChange, Stage};

/// A planted mistake, of the authority (its decisions are changed before they are committed), of
/// the host, or of the agents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// At the switch the links are not kept.
    NoLinks,
    /// At the switch only the newest link is kept.
    NewestLinkOnly,
    /// Links are forgotten after half of the bundles' age.
    HalfNeed,
    /// The old root goes at the switch.
    OldRootGoes,
    /// The old root stays active.
    TwoActive,
    /// A lease is not extended, leafs live on regardless.
    LeaseIgnored,
    /// What is to be kept is not told when an incarnation cleans up.
    NothingKept,
    /// A wall clock that was set is believed at once.
    ClockBelieved,
    /// What the provider must remember is not committed with its root.
    MemoryLost,
    /// A cross-signed certificate ends early and nobody looks.
    WeakLink,
    /// A renewal of an intermediate makes a root.
    RenewalMintsRoot,
    /// Answers to older orders are taken for answers to the newest.
    AnyAnswer,
    /// Agents go on with bundles that are too old.
    AgedBundles,
    /// A rotation that comes to nothing is not given up.
    NeverAbandoned,
    /// Providers are called without a guard, and believed.
    Unguarded,
    /// A guard is not told what signs when the host starts again.
    IssuersForgotten,
    /// A provider cleans up while it is asked for what it has.
    AllAtOnce,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::NoLinks,
        Self::NewestLinkOnly,
        Self::HalfNeed,
        Self::OldRootGoes,
        Self::TwoActive,
        Self::LeaseIgnored,
        Self::NothingKept,
        Self::ClockBelieved,
        Self::MemoryLost,
        Self::WeakLink,
        Self::RenewalMintsRoot,
        Self::AnyAnswer,
        Self::AgedBundles,
        Self::NeverAbandoned,
        Self::Unguarded,
        Self::IssuersForgotten,
        Self::AllAtOnce,
    ];

    /// Changes a decision as the mistake would.
    pub(super) fn perturb(self, changes: &mut Vec<AuthorityChange>, serving: bool) {
        let switches = serving
            && changes.iter().any(|change| {
                matches!(change, AuthorityChange::PutRecord(record)
                    if record.rotation.is_none()
                        && matches!(record.stage, Stage::Serving { .. }))
            });
        let mut gone = None;
        for change in changes.iter_mut() {
            match (self, change) {
                (Self::NoLinks, AuthorityChange::PutRoot(root)) if root.active => {
                    root.links.clear();
                }
                (Self::NewestLinkOnly, AuthorityChange::PutRoot(root)) if root.active => {
                    root.links.truncate(1);
                }
                (Self::HalfNeed, AuthorityChange::PutRoot(root)) if root.active && switches => {
                    for link in &mut root.links {
                        let half = link.needed_until.saturating_since(root.added_at) / 2;
                        link.needed_until = link.needed_until.saturating_sub(half);
                    }
                }
                (Self::OldRootGoes, AuthorityChange::PutRoot(root)) if !root.active => {
                    gone = Some(root.id.clone());
                }
                (Self::TwoActive, AuthorityChange::PutRoot(root)) if !root.active => {
                    root.active = true;
                }
                _ => {}
            }
        }
        changes.extend(gone.map(AuthorityChange::DeleteRoot));
        if self == Self::MemoryLost && serving {
            changes.retain(|change| {
                !matches!(change, AuthorityChange::PutProviderState(state)
                    if state.retired.is_none())
            });
        }
    }
}
