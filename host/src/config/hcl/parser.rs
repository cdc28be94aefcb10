//! Tokens to the tree.

use std::fmt;

use super::lexer::{Lexer, Token};
use super::value::{Entry, Object, ObjectBuilder, Position, Value, ValueKind};
use super::{MAX_BYTES, MAX_DEPTH, json};

/// Reads a whole document: HCL, or JSON if its first character is `{`.
///
/// # Errors
/// The first place at which the document is not HCL 1 (or JSON), or that it is too long or deep.
pub fn parse(text: &str) -> Result<Object, SyntaxError> {
    if text.len() > MAX_BYTES {
        return Err(SyntaxError::new(
            Position::START,
            format!("a document of {} bytes", text.len()),
            &format!("at most {MAX_BYTES}"),
        ));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.trim_start().starts_with('{') {
        return json::parse_document(text);
    }
    let mut parser = Parser::new(text)?;
    parser.body(&Token::End, 0)
}

/// Where a document stops being HCL or JSON, and what would be right there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    position: Position,
    found: String,
    expected: String,
}

impl SyntaxError {
    pub(super) fn new(position: Position, found: String, expected: &str) -> Self {
        Self {
            position,
            found,
            expected: expected.to_owned(),
        }
    }

    /// Where it is.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    /// What was found and what would be right, without the position.
    #[must_use]
    pub fn reason(&self) -> String {
        format!("found {}, expected {}", self.found, self.expected)
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: found {}, expected {}",
            self.position, self.found, self.expected
        )
    }
}

impl std::error::Error for SyntaxError {}

struct Parser<'a> {
    lexer: Lexer<'a>,
    token: Token,
    position: Position,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Result<Self, SyntaxError> {
        let mut lexer = Lexer::new(text);
        let (token, position) = lexer.next_token()?;
        Ok(Self {
            lexer,
            token,
            position,
        })
    }

    /// Attributes and blocks up to and with the token that ends them.
    fn body(&mut self, end: &Token, depth: usize) -> Result<Object, SyntaxError> {
        self.check_depth(depth)?;
        let mut object = ObjectBuilder::default();
        while self.token != *end {
            let entry = self.item(depth)?;
            object.add(entry);
            if self.token == Token::Comma {
                self.advance()?;
            }
        }
        if *end != Token::End {
            self.advance()?;
        }
        Ok(object.finish())
    }

    /// `key = value`, `key { … }` or `key "label" { … }`.
    fn item(&mut self, depth: usize) -> Result<Entry, SyntaxError> {
        let (key, position) = self.key("a key, or the end of the block")?;
        if self.token == Token::Assign {
            self.advance()?;
            let value = self.value(depth)?;
            return Ok(Entry {
                key,
                position,
                value,
            });
        }
        let mut labels = Vec::new();
        while self.token != Token::OpenBrace {
            let expected = if labels.is_empty() {
                "'=', '{' or a label after the key"
            } else {
                "'{' or one more label"
            };
            labels.push(self.key(expected)?);
            self.check_depth(depth + labels.len())?;
        }
        let opened = self.position;
        self.advance()?;
        let body = self.body(&Token::CloseBrace, depth + 1 + labels.len())?;
        let mut value = Value::new(ValueKind::Object(body), opened);
        for (label, at) in labels.into_iter().rev() {
            let mut wrapper = ObjectBuilder::default();
            wrapper.add(Entry {
                key: label,
                position: at,
                value,
            });
            value = Value::new(ValueKind::Object(wrapper.finish()), at);
        }
        Ok(Entry {
            key,
            position,
            value,
        })
    }

    fn key(&mut self, expected: &str) -> Result<(String, Position), SyntaxError> {
        let position = self.position;
        let key = match &self.token {
            Token::Identifier(name) | Token::Literal(ValueKind::Text(name)) => name.clone(),
            _ => return Err(self.unexpected(expected)),
        };
        self.advance()?;
        Ok((key, position))
    }

    fn value(&mut self, depth: usize) -> Result<Value, SyntaxError> {
        let position = self.position;
        let kind = match &self.token {
            Token::Literal(kind) => {
                let kind = kind.clone();
                self.advance()?;
                kind
            }
            Token::OpenBrace => {
                self.advance()?;
                ValueKind::Object(self.body(&Token::CloseBrace, depth + 1)?)
            }
            Token::OpenBracket => {
                self.advance()?;
                ValueKind::List(self.list(depth + 1)?)
            }
            Token::Identifier(word) if is_boolean_misspelt(word) => {
                return Err(self.unexpected("true or false in lower case"));
            }
            Token::Identifier(_) => {
                return Err(self.unexpected("a value; a text stands in double quotes"));
            }
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Value::new(kind, position))
    }

    /// Values between commas up to and with `]`; one comma may follow the last.
    fn list(&mut self, depth: usize) -> Result<Vec<Value>, SyntaxError> {
        self.check_depth(depth)?;
        let mut items = Vec::new();
        while self.token != Token::CloseBracket {
            items.push(self.value(depth)?);
            match self.token {
                Token::Comma => self.advance()?,
                Token::CloseBracket => {}
                _ => return Err(self.unexpected("',' or ']'")),
            }
        }
        self.advance()?;
        Ok(items)
    }

    fn advance(&mut self) -> Result<(), SyntaxError> {
        (self.token, self.position) = self.lexer.next_token()?;
        Ok(())
    }

    fn check_depth(&self, depth: usize) -> Result<(), SyntaxError> {
        if depth > MAX_DEPTH {
            let found = format!("nesting deeper than {MAX_DEPTH}");
            return Err(SyntaxError::new(
                self.position,
                found,
                &format!("at most {MAX_DEPTH} levels"),
            ));
        }
        Ok(())
    }

    fn unexpected(&self, expected: &str) -> SyntaxError {
        SyntaxError::new(self.position, self.token.describe(), expected)
    }
}

fn is_boolean_misspelt(word: &str) -> bool {
    ["true", "false"]
        .iter()
        .any(|boolean| word.eq_ignore_ascii_case(boolean))
}
