//! The one law: every leaf that may be in use verifies against every bundle that a peer may
//! still hold.
//!
//! Leafs that differ only in their end are one *class*, bundles with the same content one
//! *version*. For each the span of time is kept in which any of them may be in use, so that the
//! law is checked for every pair at every instant, not at those at which somebody looked.

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
    /// Signed in a time that a restore has undone.
    pub(super) lost: bool,
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
    pub(super) lost: bool,
    /// Left behind by force: leafs from this epoch on, signed from this moment on.
    pub(super) left: Option<(u64, i64)>,
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
}

/// All leafs and bundles of a schedule, and what excuses a pair.
#[derive(Default)]
pub(super) struct Law {
    pub(super) classes: Vec<Class>,
    pub(super) versions: Vec<Version>,
    /// Roots that were no longer trusted because of an emergency, and since when.
    pub(super) distrusted: Vec<(CertificateId, i64)>,
    pub(super) late: Vec<LateSwitch>,
    /// The wall clock was ahead at some time: validities may start in the future.
    pub(super) ahead: bool,
    /// Leafs signed so far.
    pub(super) leafs: i64,
    /// New entries from now on, although the content is the same.
    pub(super) cut: bool,
}

/// A leaf that does not verify.
#[derive(Clone, Debug)]
pub(super) struct Broken {
    pub(super) at: i64,
    pub(super) class: Class,
    pub(super) version: Version,
}

impl Law {
    pub(super) fn signed(&mut self, leaf: Class, services: i64, cut: i64) {
        self.leafs += services;
        let same = |class: &&mut Class| {
            class.issuer == leaf.issuer
                && class.root == leaf.root
                && class.epoch == leaf.epoch
                && class.first >= cut
                && class.until >= leaf.first
                && !class.lost
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
            if same && !self.cut && !current.lost {
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

    /// Everything of `since` or later was undone by a restore.
    pub(super) fn lose(&mut self, since: i64) {
        for class in &mut self.classes {
            class.lost |= class.first >= since;
        }
        for version in &mut self.versions {
            version.lost |= version.first >= since;
            version.left = version.left.filter(|(_, left)| *left < since);
        }
        self.distrusted.retain(|(_, at)| *at < since);
        self.late.retain(|late| late.at < since);
        self.cut = true;
    }

    /// The first moment at which the law is broken.
    pub(super) fn first_broken(&self, all: &Certificates) -> Option<Broken> {
        let mut first: Option<Broken> = None;
        for class in self.classes.iter().filter(|class| !class.lost) {
            for version in self.versions.iter().filter(|version| !version.lost) {
                let from = class.first.max(version.first);
                let until = class.until.min(version.over());
                if from >= until || self.is_excused(class, version) {
                    continue;
                }
                let until = until.min(self.proven_until(class, version));
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

    fn is_excused(&self, class: &Class, version: &Version) -> bool {
        let left = version
            .left
            .is_some_and(|(epoch, since)| class.epoch >= epoch && class.first >= since);
        let distrusted = self
            .distrusted
            .iter()
            .any(|(root, since)| *root == class.root && version.first >= *since);
        left || distrusted
    }

    /// Until when a switch by a clock that was behind promised anything.
    fn proven_until(&self, class: &Class, version: &Version) -> i64 {
        let late = self.late.iter().filter(|late| {
            class.epoch >= late.epoch && class.first >= late.at && version.first < late.at
        });
        late.map(|late| late.at + version.bound - late.behind)
            .min()
            .unwrap_or(i64::MAX)
    }
}
