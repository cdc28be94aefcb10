//! HCL version 1 as Consul reads it, and JSON, into one ordered tree with positions.
//!
//! HCL 1 is not HCL 2: several attributes may share a line, commas between them are optional,
//! keys may be quoted, `"a${b}"` is plain text, and there are no expressions. What this reader
//! accepts was compared with Consul 1.8.7. ACL rules are written in the same language.
//!
//! - A repeated attribute: the last one wins.
//! - A repeated block becomes a list; a block with labels nests one object per label.
//! - A document whose first character is `{` is JSON.
//!
//! A document is at most [`MAX_BYTES`] long and [`MAX_DEPTH`] deep, so that the reader can
//! neither exhaust memory nor the stack.

mod heredoc;
mod json;
mod lexer;
mod number;
mod parser;
#[cfg(test)]
mod tests;
mod value;

pub use self::json::{JsonError, parse_first_json};
pub use self::parser::{SyntaxError, parse};
pub(crate) use self::value::quoted;
pub use self::value::{Entry, Object, Position, Value, ValueKind};

/// The longest document that is read, in bytes.
pub const MAX_BYTES: usize = 1024 * 1024;

/// The deepest nesting of blocks and lists that is read.
pub const MAX_DEPTH: usize = 64;
