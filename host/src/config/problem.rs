//! What can be wrong with a document, and how it is said.

use chancery_core::GoDurationError;

use super::hcl::Position;

/// One thing that is wrong in a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) position: Position,
    /// The key with the keys around it: `ports.http`.
    pub(crate) path: String,
    pub(crate) kind: ProblemKind,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ProblemKind {
    /// A duration that Go would refuse.
    Duration(GoDurationError),
    /// A key that Consul knows and nothing here acts on: worth a warning.
    Ignored,
    /// A value of the right sort that is not allowed.
    Refused(String),
    /// Something allowed that is worth a warning.
    Remark(String),
    /// A key that nobody knows.
    UnknownKey {
        key: String,
        suggestion: Option<&'static str>,
    },
    /// A value of another sort.
    WrongSort {
        found: String,
        expected: &'static str,
        json_sort: &'static str,
        go_type: &'static str,
    },
}

impl Problem {
    /// Whether it keeps nobody from going on.
    pub(crate) const fn is_warning(&self) -> bool {
        matches!(self.kind, ProblemKind::Ignored | ProblemKind::Remark(_))
    }

    /// The remark about it, without its place.
    pub(crate) fn text(&self) -> String {
        let path = &self.path;
        match &self.kind {
            ProblemKind::Duration(error) => {
                format!("{path}: {error}, expected one such as \"90s\" or \"72h\"")
            }
            ProblemKind::Ignored => {
                format!("{path}: Consul knows this key, Chancery does not act on it yet")
            }
            ProblemKind::Refused(text) | ProblemKind::Remark(text) => format!("{path}: {text}"),
            ProblemKind::UnknownKey { suggestion, .. } => match suggestion {
                Some(nearest) => format!("unknown key {path:?}, did you mean {nearest:?}?"),
                None => format!("unknown key {path:?}"),
            },
            ProblemKind::WrongSort {
                found, expected, ..
            } => format!("{path}: found {found}, expected {expected}"),
        }
    }
}

/// The problems of one document.
///
/// At most [`Problems::MOST`] mistakes and [`Problems::MOST_WARNINGS`] warnings are kept, counted
/// apart: warnings must never crowd out the mistake that refuses the document.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    mistakes: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Problems {
    /// More than anybody mends in one go; a stranger's document must not buy more work.
    pub(crate) const MOST: usize = 100;

    /// More than Consul has keys.
    pub(crate) const MOST_WARNINGS: usize = 500;

    /// Whether further mistakes would not be kept.
    pub(crate) const fn is_full(&self) -> bool {
        self.mistakes.len() >= Self::MOST
    }

    pub(super) fn push(&mut self, problem: Problem) {
        let (list, most) = if problem.is_warning() {
            (&mut self.warnings, Self::MOST_WARNINGS)
        } else {
            (&mut self.mistakes, Self::MOST)
        };
        if list.len() < most {
            list.push(problem);
        }
    }

    /// Mistakes and warnings in the order of the document.
    pub(crate) fn sorted(self) -> Vec<Problem> {
        let mut all = self.mistakes;
        all.extend(self.warnings);
        all.sort_by_key(|problem| problem.position);
        all
    }
}
