//! Whether what differs is what is meant to differ, no more and no less.

use std::collections::{BTreeMap, BTreeSet};

use super::ledger::Meant;

/// What differs between two answers, by aspect: the status, the body, a header.
#[derive(Clone, Debug, Default)]
pub struct Differences {
    found: BTreeMap<String, String>,
}

impl Differences {
    /// Takes note of `aspect` if the two differ in it.
    pub fn compare(&mut self, aspect: &str, theirs: &str, ours: &str) {
        if theirs != ours {
            self.note(aspect, theirs, ours);
        }
    }

    /// Takes note of `aspect`.
    pub fn note(&mut self, aspect: &str, theirs: &str, ours: &str) {
        let text = format!("\n  consul:   {theirs}\n  chancery: {ours}");
        self.found.insert(aspect.to_owned(), text);
    }

    /// The aspects noted.
    #[must_use]
    pub fn aspects(&self) -> BTreeSet<String> {
        self.found.keys().cloned().collect()
    }
}

/// Holds differences against a section of the ledger.
#[derive(Clone, Debug)]
pub struct Audit {
    meant: Meant,
    seen: BTreeSet<String>,
    report: String,
}

impl Audit {
    /// An audit of what is `meant`.
    #[must_use]
    pub fn new(meant: Meant) -> Self {
        Self {
            meant,
            seen: BTreeSet::new(),
            report: String::new(),
        }
    }

    /// Checks what differs in the exchange `name`: an unexpected agreement counts as well.
    pub fn check(&mut self, name: &str, differences: &Differences) {
        let case = name.split('/').next().unwrap_or_default();
        let all = format!("{case}/*");
        let meant = self.meant.get(name).or_else(|| self.meant.get(&all));
        let meant = meant.cloned().unwrap_or_default();
        self.seen.extend([name.to_owned(), all]);
        if differences.aspects() == meant {
            return;
        }
        self.report += &format!("\n== {name}: meant {meant:?}");
        for (aspect, difference) in &differences.found {
            self.report += &format!("\n{aspect}{difference}");
        }
    }

    /// What is not as meant; empty if all is.
    #[must_use]
    pub fn report(mut self) -> String {
        for name in self.meant.keys().filter(|name| !self.seen.contains(*name)) {
            let text = "is in the ledger and was not asked";
            self.report += &format!("\n== {name} {text}");
        }
        self.report
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::Ledger;

    fn report(ledger: &str, ours: &str) -> String {
        let mut audit = Audit::new(Ledger::parse(ledger).section("one"));
        let mut differences = Differences::default();
        differences.compare("status", "200", ours);
        audit.check("a", &differences);
        audit.report()
    }

    #[test]
    fn only_what_is_meant_passes() {
        assert_eq!(report("[one]\na | status: why", "500"), "");
        assert_eq!(report("", "200"), "");
        assert_eq!(report("[one]\na/* | status: why", "500"), "");
        assert!(report("", "500").contains("chancery: 500"));
        assert!(report("[one]\na | body: why", "500").contains("status"));
    }

    #[test]
    fn an_unexpected_agreement_and_a_line_for_nothing_fail() {
        assert!(report("[one]\na | status: why", "200").contains("meant {\"status\"}"));
        assert!(report("[one]\nb | status: why", "200").contains("was not asked"));
    }
}
