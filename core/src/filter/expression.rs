//! What was written, before it is known what it is about.

use super::error::ExpressionError;
use super::parser;

/// An expression that can be read. It has no meaning yet: [`bind`](Self::bind) gives it one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    pub(super) root: Node,
}

impl Expression {
    /// How long an expression may be, in bytes.
    pub const MAX_LENGTH: usize = 8_192;
    /// How deep brackets and `not` may be nested. What is joined by `and` and `or` counts as one
    /// level, however many there are.
    pub const MAX_DEPTH: usize = 32;
    /// How many patterns it may have.
    pub const MAX_PATTERNS: usize = 16;

    /// Reads an expression, in time linear in its length.
    ///
    /// # Errors
    /// [`ExpressionError`], which says where it stops making sense.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        parser::parse(text).map(|root| Self { root })
    }
}

/// A part of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// At least two parts of which all must hold.
    All(Vec<Self>),
    /// At least two parts of which one must hold.
    Any(Vec<Self>),
    Not(Box<Self>),
    Test(Test),
}

/// One question about an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Test {
    /// The names and keys that lead to what is looked at; at least one.
    pub(super) selector: Vec<String>,
    pub(super) operator: Operator,
    pub(super) negated: bool,
    /// Empty for an operator that takes none.
    pub(super) value: String,
}

impl Test {
    /// The operator by go-bexpr's name.
    pub(super) const fn operator_name(&self) -> &'static str {
        match (self.operator, self.negated) {
            (Operator::Empty, false) => "Is Empty",
            (Operator::Empty, true) => "Is Not Empty",
            (Operator::Equal, false) => "Equal",
            (Operator::Equal, true) => "Not Equal",
            (Operator::In, false) => "In",
            (Operator::In, true) => "Not In",
            (Operator::Matches, false) => "Matches",
            (Operator::Matches, true) => "Not Matches",
        }
    }
}

/// What is asked; each can be negated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Empty,
    Equal,
    In,
    Matches,
}
