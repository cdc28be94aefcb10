//! What is wrong with a configuration: everything at once, each with its place.

use std::fmt;
use std::sync::Arc;

use super::hcl::Position;

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// What holds when nobody says anything.
    Default,
    /// A file, and the place in it unless the whole file is meant.
    File {
        /// The path as it was given.
        path: Arc<str>,
        /// The place.
        position: Option<Position>,
    },
    /// A flag of the command line, as a person writes it.
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("configuration"),
            Self::File {
                path,
                position: Some(position),
            } => write!(f, "{path}:{position}"),
            Self::File {
                path,
                position: None,
            } => f.write_str(path),
            Self::Flag(flag) => f.write_str(flag),
        }
    }
}

/// One remark about one place: a mistake or a warning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Remark {
    /// Where.
    pub origin: Origin,
    /// What was found there and what would be right.
    pub text: String,
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.origin, self.text)
    }
}

/// Everything that is wrong, and everything that is merely worth saying.
///
/// As an error it displays every mistake, one a line, in the order of the sources.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    mistakes: Vec<Remark>,
    warnings: Vec<Remark>,
    incomplete: bool,
}

impl Report {
    /// What keeps the agent from starting.
    #[must_use]
    pub fn mistakes(&self) -> &[Remark] {
        &self.mistakes
    }

    /// What the agent says once and goes on.
    #[must_use]
    pub fn warnings(&self) -> &[Remark] {
        &self.warnings
    }

    /// Whether the agent may start.
    #[must_use]
    pub const fn is_good(&self) -> bool {
        self.mistakes.is_empty()
    }

    pub(super) fn mistake(&mut self, origin: Origin, text: impl Into<String>) {
        let text = text.into();
        self.mistakes.push(Remark { origin, text });
    }

    /// A mistake that kept a source from being read: what it says is unknown.
    pub(super) fn unread(&mut self, origin: Origin, text: impl Into<String>) {
        self.incomplete = true;
        self.mistake(origin, text);
    }

    /// Whether a source was not read, so that nothing may be called missing.
    pub(super) const fn is_incomplete(&self) -> bool {
        self.incomplete
    }

    pub(super) fn warning(&mut self, origin: Origin, text: impl Into<String>) {
        let text = text.into();
        self.warnings.push(Remark { origin, text });
    }

    pub(super) fn into_warnings(self) -> Vec<Remark> {
        self.warnings
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Report {}
