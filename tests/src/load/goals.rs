//! What was promised of a figure, and whether it holds.

use std::fmt;

/// Promises and what became of them, one line each.
#[derive(Clone, Debug, Default)]
pub struct Goals {
    lines: Vec<String>,
}

impl Goals {
    /// No promise yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// `found` must not be below `wanted`.
    pub fn at_least(&mut self, what: &str, found: f64, wanted: f64) {
        self.add(what, found, ">=", wanted, found >= wanted);
    }

    /// `found` must not be above `wanted`.
    pub fn at_most(&mut self, what: &str, found: f64, wanted: f64) {
        self.add(what, found, "<=", wanted, found <= wanted);
    }

    fn add(&mut self, what: &str, found: f64, sign: &str, wanted: f64, met: bool) {
        let verdict = if met { "met" } else { "MISSED" };
        self.lines.push(format!(
            "{what:<52}{found:>9.1} {sign} {wanted:>9.1}  {verdict}"
        ));
    }
}

impl fmt::Display for Goals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_at_its_edge_and_missed_past_it() {
        let mut goals = Goals::new();
        goals.at_least("fast", 10.0, 10.0);
        goals.at_least("fast", 9.9, 10.0);
        goals.at_most("small", 10.0, 10.0);
        goals.at_most("small", 10.1, 10.0);
        let text = goals.to_string();
        let verdicts: Vec<_> = text
            .lines()
            .filter_map(|line| line.split_whitespace().last())
            .collect();
        assert_eq!(verdicts, ["met", "MISSED", "met", "MISSED"]);
    }
}
