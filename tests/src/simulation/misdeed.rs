//! What a provider does wrong when it misbehaves, each for the guard to see.

use super::certificates::CertificateId;
use super::rare::Rare;
use super::realm::Realm;
use super::schedule::{DAY, ProviderKind};

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
    /// What a provider can do wrong with leafs so that it is seen: of those that are part of this
    /// program nobody verifies the signatures.
    pub(super) fn with_leafs(kind: ProviderKind) -> &'static [Self] {
        const ALL: &[Misdeed] = &[
            Misdeed::Forged,
            Misdeed::TooLong,
            Misdeed::OtherKey,
            Misdeed::OtherName,
            Misdeed::LeafIsCa,
        ];
        match kind {
            ProviderKind::Local => &ALL[1..],
            _ => ALL,
        }
    }

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

/// Another certificate in the place of `honest`, with that wrong.
pub(super) fn spoilt(
    realm: &mut Realm,
    honest: CertificateId,
    misdeed: Misdeed,
    end: i64,
) -> CertificateId {
    realm.notes.misdeed = Some(misdeed);
    let all = &mut realm.certificates;
    let stranger = all.party();
    // In the table stands what leads where: what has a wrong name or key leads nowhere.
    let mut truth = all.of(honest);
    let was = truth;
    match misdeed {
        Misdeed::OtherKey | Misdeed::OtherName => truth.subject = stranger,
        Misdeed::OtherRoot | Misdeed::Forged => truth.issuer = stranger,
        Misdeed::TooLong => truth.not_after = end + DAY,
        Misdeed::RootChanges | Misdeed::LeafIsCa => {}
    }
    all.add_saying(truth, |text| match misdeed {
        Misdeed::OtherKey => text.subject_name = was.subject,
        Misdeed::OtherName => text.subject_key = was.subject,
        Misdeed::Forged => text.issuer = was.issuer,
        _ => {}
    })
}
