//! What a provider does wrong when it misbehaves, each for the guard to see.

use super::rare::Rare;

/// How a provider behaves in one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// It says that it is not available.
    Fails,
    /// It never answers.
    Hangs,
    Does(Misdeed),
}

/// An answer that must not be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misdeed {
    /// A root, when it has answered with another before.
    RootChanges,
    /// An intermediate under a root that is not its own.
    OtherRoot,
    /// A certificate that lives longer than was asked for, or than what signed it.
    TooLong,
    /// A certificate for a key that nobody asked for.
    OtherKey,
    /// A certificate for a name that nobody asked for.
    OtherName,
    /// A signature that is not the issuer's.
    Forged,
    /// A leaf that may sign.
    LeafIsCa,
}

impl Misdeed {
    /// The state that it has been caught.
    pub(super) const fn caught(self, leaf: bool) -> Rare {
        match (self, leaf) {
            (Self::RootChanges, _) => Rare::CaughtRoot,
            (Self::OtherRoot, _) => Rare::CaughtOtherRoot,
            (Self::TooLong, true) => Rare::CaughtLongLeaf,
            (Self::TooLong, false) => Rare::CaughtLongCa,
            (Self::OtherKey, true) => Rare::CaughtLeafKey,
            (Self::OtherKey, false) => Rare::CaughtLinkKey,
            (Self::OtherName, true) => Rare::CaughtLeafName,
            (Self::OtherName, false) => Rare::CaughtLinkName,
            (Self::Forged, _) => Rare::CaughtForged,
            (Self::LeafIsCa, _) => Rare::CaughtLeafCa,
        }
    }
}
