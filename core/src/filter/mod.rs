//! Filter expressions: which entries of a list somebody wants to see.
//!
//! The language is the one that Consul's clients write (go-bexpr): `Service == web and "v1" in
//! Tags`. An [`Expression`] is what was written; bound to the [`Shape`] of the entries it becomes
//! a [`Filter`], which judges them one by one.
//!
//! ```text
//! expression  = all { "or" all }
//! all         = negation { "and" negation }
//! negation    = "not" negation | "(" expression ")" | test
//! test        = selector ("==" | "!=" | ["not"] "contains" | ["not"] "matches") value
//!             | selector "is" ["not"] "empty"
//!             | value ["not"] "in" selector
//! selector    = name { "." name | "[" string "]" }
//! value       = selector | number | string
//! string      = '"' … '"' with Go's escapes | "`" … "`" as it stands
//! ```
//!
//! Words need white space around them, `==` and `!=` do not. A bare word is a value: `Service ==
//! web`. Whoever writes an expression is a stranger: its length and depth are bounded, it is read
//! once from left to right (thirty open brackets keep Consul busy for good), and its patterns run
//! in time linear in the text they look at.

mod bind;
mod error;
mod expression;
mod judge;
mod literal;
mod parser;
mod shape;
#[cfg(test)]
mod tests;

pub use error::{ExpressionError, FilterError};
pub use expression::Expression;
pub use judge::{Filter, FilterSpent};
pub use shape::Shape;
