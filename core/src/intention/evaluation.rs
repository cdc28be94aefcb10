//! From a pair of names to the rule that decides.

use super::decision::{Decision, DefaultPolicy};
use super::index::IntentionSet;
use super::names::{ALL, NameRef, Ruling, STAR, UNKNOWN};

impl IntentionSet {
    /// Whether a service may connect to another; both are names of the namespace `default`,
    /// taken literally (`default/db` is a name with a slash). Allocates nothing.
    #[inline]
    pub fn decide<'a>(
        &'a self,
        source: &'a str,
        destination: &'a str,
        default: DefaultPolicy,
    ) -> Decision<'a> {
        self.decide_resolved(self.resolve(source), self.resolve(destination), default)
    }

    /// As [`decide`](Self::decide), for names that were looked up in this set.
    #[inline]
    pub fn decide_resolved<'a>(
        &'a self,
        source: NameRef<'a>,
        destination: NameRef<'a>,
        default: DefaultPolicy,
    ) -> Decision<'a> {
        let mut first = Ruling::NONE;
        self.visit(source, destination, |ruling| {
            first = ruling;
            false
        });
        Decision::new(self, source, destination, first, default)
    }

    /// The rules that fit a pair, the one that decides first. `go_on` says whether to go on.
    ///
    /// This is the one place that knows the order of evaluation: 9 to 1 (see `precedence`).
    #[inline]
    pub(super) fn visit(
        &self,
        source: NameRef<'_>,
        destination: NameRef<'_>,
        mut go_on: impl FnMut(Ruling) -> bool,
    ) {
        let mut ask = |ruling: Ruling| ruling.row().is_none() || go_on(ruling);
        // A side that is itself a wildcard is covered only by rules at least as wide.
        let exact_source = !matches!(source.spelled, STAR | ALL | UNKNOWN);
        let exact_destination = !matches!(destination.folded, STAR | ALL | UNKNOWN);
        let from = |number: u32| self.names.at(number).map(|name| name.from);
        let star_source = source.spelled != ALL;
        if exact_destination {
            if exact_source {
                let found = self.fitting(source, destination.folded);
                if found.is_some_and(|ruling| !ask(ruling)) {
                    return;
                }
            }
            let wild = from(destination.folded);
            if wild.is_some_and(|wild| star_source && !ask(wild.star) || !ask(wild.all)) {
                return;
            }
        }
        let to = exact_source
            .then(|| self.names.at(source.spelled).map(|name| name.to))
            .flatten();
        if destination.folded != ALL {
            if to.is_some_and(|wild| !ask(wild.star)) {
                return;
            }
            let wild = from(STAR);
            if wild.is_some_and(|wild| star_source && !ask(wild.star) || !ask(wild.all)) {
                return;
            }
        }
        if to.is_some_and(|wild| !ask(wild.all)) {
            return;
        }
        if let Some(wild) = from(ALL) {
            let _ = star_source && !ask(wild.star) || !ask(wild.all);
        }
    }

    // The rule for a pair whose source is spelled as asked.
    #[inline]
    fn fitting(&self, source: NameRef<'_>, destination: u32) -> Option<Ruling> {
        let hash = self.hashing.pair(source.folded, destination);
        let found = self.pairs.find(hash, |pair| {
            pair.source == source.spelled && pair.destination == destination
        });
        found.map(|pair| pair.ruling)
    }
}
