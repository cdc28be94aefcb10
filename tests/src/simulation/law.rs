//! The one law: every leaf that may be in use verifies against every bundle that a peer may
//! still hold.
//!
//! Leafs that differ only in their end are one *class*, bundles with the same content one
//! *version*. For each the span of time is kept in which any of them may be in use, so that the
//! law is checked for every pair at every instant, not at those at which somebody looked.
//!
//! What excuses a pair is in the same book. What of it happened before what is told by places in
//! the lists: several things may happen in one second. A snapshot takes the book along, so that
//! after its restore exactly that counts which the restored state knows of.

use chancery_core::Epoch;

use super::certificates::{CertificateId, Certificates, Party};

/// Leafs with the same issuer that are sent with the same certificates.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Class {
    pub(super) issuer: Party,
    pub(super) root: CertificateId,
    /// What is sent with them: intermediates, then links.
    pub(super) chain: Vec<CertificateId>,
    pub(super) epoch: u64,
    /// First of them signed.
    pub(super) first: i64,
    /// End of the last one.
    pub(super) until: i64,
}

/// Bundles with the same content.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Version {
    pub(super) roots: Vec<CertificateId>,
    /// Who may sign at the time is always among the roots.
    pub(super) active: CertificateId,
    /// How old one may become.
    pub(super) bound: i64,
    /// The first moment at which one could be taken, and the last.
    pub(super) first: i64,
    pub(super) last: i64,
    /// Left behind by force: by leafs from this epoch on.
    pub(super) left: Option<u64>,
}

impl Version {
    /// From then on nobody uses one.
    pub(super) const fn over(&self) -> i64 {
        self.last + self.bound
    }
}

/// A switch that was made while the wall clock was behind: what its moment decides may come to
/// be forgotten so much too early.
#[derive(Clone, Copy, Debug)]
pub(super) struct LateSwitch {
    pub(super) at: i64,
    pub(super) epoch: u64,
    pub(super) behind: i64,
    /// How many versions there were before.
    pub(super) versions: usize,
}

/// A root that is to go in an emergency, from a moment on.
#[derive(Clone, Debug)]
pub(super) struct Emergency {
    pub(super) root: String,
    pub(super) due: i64,
}

/// All leafs and bundles of a schedule, and what excuses a pair.
#[derive(Clone, Default)]
pub(super) struct Law {
    pub(super) classes: Vec<Class>,
    pub(super) versions: Vec<Version>,
    /// Roots that were no longer trusted because of an emergency, and since which version.
    pub(super) distrusted: Vec<(CertificateId, usize)>,
    /// Roots that go in an emergency.
    pub(super) emergencies: Vec<Emergency>,
    pub(super) late: Vec<LateSwitch>,
    /// The provider of before the switch said that it cannot cross-sign, for this epoch.
    pub(super) unlinked: Option<Epoch>,
    /// The first version after the last forced switch that left bundles behind.
    pub(super) forced: Option<usize>,
    /// The wall clock was ahead at some time: validities may start in the future.
    pub(super) ahead: bool,
    /// Leafs signed so far.
    pub(super) leafs: i64,
    /// The next bundle is another version, although its content may be the same.
    cut: bool,
}

/// A leaf that does not verify.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) at: i64,
    pub(super) class: Class,
    pub(super) version: Version,
}

impl Law {
    pub(super) fn signed(&mut self, leaf: Class, services: i64) {
        self.leafs += services;
        let same = |class: &&mut Class| {
            class.issuer == leaf.issuer
                && class.root == leaf.root
                && class.epoch == leaf.epoch
                && class.until >= leaf.first
                && class.chain == leaf.chain
        };
        match self.classes.iter_mut().rfind(same) {
            Some(class) => class.until = class.until.max(leaf.until),
            None => self.classes.push(leaf),
        }
    }

    /// The bundle that is handed out from `now` on.
    pub(super) fn published(&mut self, bundle: Version) {
        let now = bundle.first;
        if let Some(current) = self.versions.last_mut() {
            current.last = now;
            let same = current.roots == bundle.roots
                && current.bound == bundle.bound
                && current.active == bundle.active;
            if same && !self.cut {
                return;
            }
        }
        self.cut = false;
        self.versions.push(bundle);
    }

    /// The current bundle is still handed out.
    pub(super) fn touch(&mut self, now: i64) {
        if let Some(current) = self.versions.last_mut() {
            current.last = current.last.max(now);
        }
    }

    /// The book as it was goes on: the state of then counts again. What was signed and handed out
    /// in the meantime nobody answers for.
    pub(super) fn restore(&mut self, then: &Self) {
        *self = Self {
            leafs: self.leafs,
            ahead: self.ahead,
            cut: true,
            ..then.clone()
        };
    }

    /// The first moment at which the law is broken.
    pub(super) fn first_broken(&self, all: &Certificates) -> Option<Broken> {
        let mut first: Option<Broken> = None;
        for class in &self.classes {
            for (place, version) in self.versions.iter().enumerate() {
                let from = class.first.max(version.first);
                let until = class.until.min(version.over());
                if from >= until || self.is_excused(class, version, place) {
                    continue;
                }
                let until = until.min(self.proven_until(class, version, place));
                let Some(at) = self.uncovered(class, version, from, until, all) else {
                    continue;
                };
                if first.as_ref().is_none_or(|broken| at < broken.at) {
                    first = Some(Broken {
                        at,
                        class: class.clone(),
                        version: version.clone(),
                    });
                }
            }
        }
        first
    }

    fn uncovered(
        &self,
        class: &Class,
        version: &Version,
        from: i64,
        until: i64,
        all: &Certificates,
    ) -> Option<i64> {
        let mut spans = all.spans(class.issuer, &class.chain, &version.roots);
        if self.ahead {
            spans.iter_mut().for_each(|(start, _)| *start = i64::MIN);
        }
        spans.sort_unstable();
        let mut reached = from;
        for (start, end) in spans {
            if start <= reached {
                reached = reached.max(end);
            }
        }
        (reached < until).then_some(reached)
    }

    fn is_excused(&self, class: &Class, version: &Version, place: usize) -> bool {
        let left = version.left.is_some_and(|epoch| class.epoch >= epoch);
        let distrusted = self
            .distrusted
            .iter()
            .any(|(root, since)| *root == class.root && place >= *since);
        left || distrusted
    }

    /// Until when a switch by a clock that was behind promised anything.
    fn proven_until(&self, class: &Class, version: &Version, place: usize) -> i64 {
        let late = self
            .late
            .iter()
            .filter(|late| class.epoch >= late.epoch && place < late.versions);
        late.map(|late| late.at + version.bound - late.behind)
            .min()
            .unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::certificates::Certificate;

    const BOUND: i64 = 1000;

    /// Two roots that nothing links, and a book in which bundles with the first are in use.
    fn two_roots() -> (Certificates, [CertificateId; 2], Law) {
        let mut all = Certificates::default();
        let roots = [(); 2].map(|()| {
            let key = all.party();
            all.add(Certificate {
                subject: key,
                issuer: key,
                not_before: 0,
                not_after: 100 * BOUND,
            })
        });
        let mut law = Law::default();
        law.published(bundle(&roots[..1], 0));
        law.touch(7);
        (all, roots, law)
    }

    fn bundle(roots: &[CertificateId], first: i64) -> Version {
        Version {
            roots: roots.to_vec(),
            active: roots[roots.len() - 1],
            bound: BOUND,
            first,
            last: first,
            left: None,
        }
    }

    fn leaf(all: &Certificates, root: CertificateId, epoch: u64, first: i64) -> Class {
        Class {
            issuer: all.of(root).subject,
            root,
            chain: Vec::new(),
            epoch,
            first,
            until: first + BOUND,
        }
    }

    /// As a forced switch to the second root does.
    fn leave_behind(law: &mut Law, roots: &[CertificateId; 2], now: i64) {
        law.versions[0].left = Some(2);
        law.published(bundle(roots, now));
    }

    #[test]
    fn what_a_snapshot_of_the_same_second_knows_counts_after_its_restore() {
        let (all, roots, mut law) = two_roots();
        leave_behind(&mut law, &roots, 7);
        let snapshot = law.clone();
        law.restore(&snapshot);
        law.published(bundle(&roots, 7));
        law.signed(leaf(&all, roots[1], 2, 7), 1);
        assert!(law.first_broken(&all).is_none());
        // But leafs of before the switch are no leafs of after it.
        law.signed(leaf(&all, roots[1], 1, 7), 1);
        assert_eq!(law.first_broken(&all).map(|broken| broken.at), Some(7));
    }

    #[test]
    fn what_a_snapshot_of_the_same_second_does_not_know_is_undone_by_its_restore() {
        let (all, roots, mut law) = two_roots();
        let snapshot = law.clone();
        leave_behind(&mut law, &roots, 7);
        law.signed(leaf(&all, roots[1], 2, 7), 1);
        assert!(law.first_broken(&all).is_none());
        law.restore(&snapshot);
        law.published(bundle(&roots[..1], 7));
        // Nobody answers for the leaf of the time that is undone, but for the next one.
        assert!(law.first_broken(&all).is_none());
        law.signed(leaf(&all, roots[1], 2, 8), 1);
        assert_eq!(law.first_broken(&all).map(|broken| broken.at), Some(8));
    }
}
