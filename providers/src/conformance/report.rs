//! What the checks found.

use std::fmt;

/// One check: what it asserts, and what was found instead if it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// The part and the sentence that must be true, such as `root: stays the same`.
    pub name: &'static str,
    /// Why it is not true, if so.
    pub outcome: Result<(), String>,
}

/// The outcome of all checks, in the order they were made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    checks: Vec<Check>,
}

impl Report {
    /// All checks.
    #[must_use]
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.outcome.is_err())
    }

    /// Whether there were checks and none failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self.checks.is_empty() && self.failures().next().is_none()
    }

    pub(super) fn record(&mut self, name: &'static str, outcome: Result<(), String>) {
        self.checks.push(Check { name, outcome });
    }
}

/// One line a check, and a line with the sum.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for check in &self.checks {
            match &check.outcome {
                Ok(()) => writeln!(f, "ok    {}", check.name)?,
                Err(reason) => writeln!(f, "FAIL  {}: {reason}", check.name)?,
            }
        }
        let failed = self.failures().count();
        write!(f, "{} checks, {failed} failed", self.checks.len())
    }
}
