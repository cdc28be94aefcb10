//! Where we answer otherwise than Consul on purpose, and why.

use std::collections::{BTreeMap, BTreeSet};

/// The lines of a ledger file.
///
/// A section `[file]` has lines `name, name | aspect, aspect: reason`, where `name/*` stands
/// for every request of a case. Lines that begin with `#` say nothing.
#[derive(Clone, Debug)]
pub struct Ledger {
    lines: Vec<Line>,
}

#[derive(Clone, Debug)]
struct Line {
    section: String,
    names: Vec<String>,
    aspects: BTreeSet<String>,
    reason: String,
}

/// What differs on purpose in one file of exchanges, by the name of the exchange.
pub type Meant = BTreeMap<String, BTreeSet<String>>;

impl Ledger {
    /// Reads a ledger file.
    ///
    /// # Panics
    /// When a line is none, or a name stands twice in a section.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut section = "";
        let mut lines = Vec::new();
        let mut seen = BTreeSet::new();
        for line in text.lines().map(str::trim) {
            let heading = line
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'));
            if let Some(heading) = heading {
                section = heading;
            } else if !line.is_empty() && !line.starts_with('#') {
                let parts = line.split_once(": ").and_then(|(what, reason)| {
                    let (names, aspects) = what.split_once(" | ")?;
                    Some((names, aspects, reason))
                });
                let Some((names, aspects, reason)) = parts else {
                    panic!("no line of a ledger: {line}");
                };
                let list = |text: &str| text.split(", ").map(str::to_owned).collect::<Vec<_>>();
                let names = list(names);
                for name in &names {
                    assert!(seen.insert((section, name.clone())), "{name} stands twice");
                }
                lines.push(Line {
                    section: section.to_owned(),
                    names,
                    aspects: list(aspects).into_iter().collect(),
                    reason: reason.to_owned(),
                });
            }
        }
        Self { lines }
    }

    /// What differs on purpose in `section`.
    #[must_use]
    pub fn section(&self, section: &str) -> Meant {
        let own = self.lines.iter().filter(|line| line.section == section);
        own.flat_map(|line| {
            let aspects = |name: &String| (name.clone(), line.aspects.clone());
            line.names.iter().map(aspects)
        })
        .collect()
    }

    /// The sections, in their order.
    #[must_use]
    pub fn sections(&self) -> BTreeSet<&str> {
        self.lines
            .iter()
            .map(|line| line.section.as_str())
            .collect()
    }

    /// The ledger as a table of a Markdown page: one row a reason.
    #[must_use]
    pub fn table(&self) -> String {
        let mut table = "| asked | what differs | why |\n|---|---|---|\n".to_owned();
        for line in &self.lines {
            let aspects: Vec<_> = line.aspects.iter().map(String::as_str).collect();
            let names = line.names.join(", ");
            let (aspects, reason) = (aspects.join(", "), &line.reason);
            table += &format!("| {names} | {aspects} | {reason} |\n");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_says_by_name_what_differs() {
        let ledger = Ledger::parse("[one]\na, b | body, status: why: not\n[two]\na | Age: so\n");
        let one = ledger.section("one");
        assert_eq!(one.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert!(one["b"].iter().eq(["body", "status"]));
        assert!(ledger.section("two")["a"].iter().eq(["Age"]));
        assert!(
            ledger
                .table()
                .contains("| a, b | body, status | why: not |")
        );
    }
}
