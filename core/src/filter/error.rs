//! Why an expression is refused.

use super::expression::Expression;

/// Why an expression cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpressionError {
    /// Brackets and `not` are nested too deeply.
    #[error(
        "at character {at}: nested more than {} levels deep",
        Expression::MAX_DEPTH
    )]
    Deep {
        /// Where the level begins that is one too many; counted from 1.
        at: usize,
    },
    /// It is too long.
    #[error("{found} bytes long, at most {} are allowed", Expression::MAX_LENGTH)]
    Long {
        /// How long it is.
        found: usize,
    },
    /// It has too many patterns.
    #[error("at character {at}: more than {} patterns", Expression::MAX_PATTERNS)]
    Patterns {
        /// Where the one too many begins.
        at: usize,
    },
    /// Something else stands where it stops making sense.
    #[error("at character {at}: found {found}, expected {expected}")]
    Unexpected {
        /// Where; the first character is 1.
        at: usize,
        /// What stands there.
        found: String,
        /// What could stand there.
        expected: &'static str,
    },
}

/// Why an expression makes no sense for the entries it is to choose from. The texts are go-bexpr's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FilterError {
    /// What is selected does not allow that test.
    #[error("Invalid match operator {operator:?} for selector {selector:?}")]
    Operator {
        /// The operator by its name.
        operator: &'static str,
        /// What is selected.
        selector: String,
    },
    /// A pattern is no regular expression, or too large a one.
    #[error("Failed to compile regular expression {pattern:?}: {reason}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Entries have no such part.
    #[error("Selector {selector:?} is not valid")]
    Selector {
        /// The selector, up to the part that is not known.
        selector: String,
    },
    /// A value is not of the type of what it is compared with.
    #[error("Failed to coerce value {value:?} for selector {selector:?}: {reason}")]
    Value {
        /// The value.
        value: String,
        /// What it is compared with.
        selector: String,
        /// Go's words for what is wrong with it.
        reason: String,
    },
}
