//! What an entry looks like to those who select from it.

use super::expression::Operator;

/// The shape of an entry, or of a part of it. It decides which selectors there are, which tests
/// each of them allows, and how a value is read.
///
/// A part that an entry does not have counts as empty: no text, 0, false, nothing in it.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_enums,
    reason = "whoever describes an entry builds it of these, and each has its own tests"
)]
pub enum Shape {
    /// Yes or no: `==`, `!=`.
    Boolean,
    /// Named parts, each with a shape. By itself it allows no test.
    Fields(&'static [(&'static str, Self)]),
    /// A whole number: `==`, `!=`.
    Integer,
    /// A list of structures: `is empty`. A selector that goes on holds for the list if it holds
    /// for any of them, a negated one too.
    List(&'static Self),
    /// A map with keys of text: `in` (a key), `is empty`. A selector goes on with a key. What is
    /// not there is equal to nothing, in nothing, and matches nothing.
    Map(&'static Self),
    /// A text: `==`, `!=`, `in` (a part of it), `matches`.
    Text,
    /// A list of texts: `in`, `is empty`.
    Texts,
}

impl Shape {
    pub(super) const fn allows(self, operator: Operator) -> bool {
        use Operator::{Empty, Equal, In, Matches};
        match self {
            Self::Boolean | Self::Integer => matches!(operator, Equal),
            Self::Fields(_) => false,
            Self::List(_) => matches!(operator, Empty),
            Self::Map(_) | Self::Texts => matches!(operator, In | Empty),
            Self::Text => matches!(operator, Equal | In | Matches),
        }
    }
}
