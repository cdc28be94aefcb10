//! JSON into the same tree, with the words that Go's decoder has for what is wrong.

use super::lexer::Lexer;
use super::parser::SyntaxError;
use super::value::{Entry, Object, ObjectBuilder, Position, Value, ValueKind};
use super::{MAX_DEPTH, number};

/// Reads the first JSON value of a text and leaves the rest unread, as Consul's HTTP API does.
///
/// # Errors
/// The first place at which it is not JSON; [`JsonError`] displays Go's text.
pub fn parse_first_json(text: &str) -> Result<Value, JsonError> {
    let mut reader = Reader {
        lexer: Lexer::new(text),
    };
    reader.skip_blanks();
    if reader.lexer.peek().is_none() {
        return Err(JsonError::new(reader.lexer.position(), Cause::Empty));
    }
    reader.value(0)
}

/// Reads a document that must be one JSON object.
pub(super) fn parse_document(text: &str) -> Result<Object, SyntaxError> {
    let mut reader = Reader {
        lexer: Lexer::new(text),
    };
    let value = reader.value(0).map_err(JsonError::into_syntax)?;
    reader.skip_blanks();
    if reader.lexer.peek().is_some() {
        return Err(reader.lexer.unexpected("nothing after the JSON object"));
    }
    match value.kind {
        ValueKind::Object(object) => Ok(object),
        _ => Err(SyntaxError::new(
            value.position,
            value.describe(),
            "a JSON object",
        )),
    }
}

/// Why a text is not JSON, in the words of Go's decoder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{cause}")]
pub struct JsonError {
    position: Position,
    cause: Cause,
}

impl JsonError {
    const fn new(position: Position, cause: Cause) -> Self {
        Self { position, cause }
    }

    /// Where it is.
    #[must_use]
    pub const fn position(&self) -> Position {
        self.position
    }

    fn into_syntax(self) -> SyntaxError {
        match self.cause {
            Cause::Character { found, place } => {
                let found = format!("'{}' {place}", found.escape_debug());
                SyntaxError::new(self.position, found, "JSON")
            }
            Cause::Empty | Cause::End => SyntaxError::new(
                self.position,
                "the end of the document".to_owned(),
                "the rest of the JSON",
            ),
            Cause::Deep => SyntaxError::new(
                self.position,
                format!("nesting deeper than {MAX_DEPTH}"),
                &format!("at most {MAX_DEPTH} levels"),
            ),
            Cause::Number(text) => {
                SyntaxError::new(self.position, text, "a number of at most 64 bits")
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Cause {
    #[error("invalid character {} {place}", go_quoted(*found))]
    Character { found: char, place: String },
    #[error("exceeded max depth")]
    Deep,
    #[error("EOF")]
    Empty,
    #[error("unexpected EOF")]
    End,
    #[error("json: cannot unmarshal number {0} into Go value of type float64")]
    Number(String),
}

/// A character as Go's decoder quotes it.
fn go_quoted(character: char) -> String {
    match character {
        '\'' => r"'\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\\' => r"'\\'".to_owned(),
        '\n' => r"'\n'".to_owned(),
        '\r' => r"'\r'".to_owned(),
        '\t' => r"'\t'".to_owned(),
        control if control.is_control() => format!("'\\x{:02x}'", u32::from(control)),
        other => format!("'{other}'"),
    }
}

struct Reader<'a> {
    lexer: Lexer<'a>,
}

impl Reader<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.skip_blanks();
        let position = self.lexer.position();
        if depth > MAX_DEPTH {
            return Err(JsonError::new(position, Cause::Deep));
        }
        let kind = match self.lexer.peek() {
            Some('{') => ValueKind::Object(self.object(depth)?),
            Some('[') => ValueKind::List(self.list(depth)?),
            Some('"') => ValueKind::Text(self.text()?),
            Some('-' | '0'..='9') => self.number(position)?,
            Some('t') => self.literal("true", ValueKind::Boolean(true))?,
            Some('f') => self.literal("false", ValueKind::Boolean(false))?,
            Some('n') => self.literal("null", ValueKind::Null)?,
            _ => return Err(self.invalid("looking for beginning of value")),
        };
        Ok(Value::new(kind, position))
    }

    fn object(&mut self, depth: usize) -> Result<Object, JsonError> {
        self.lexer.take();
        let mut object = ObjectBuilder::default();
        self.skip_blanks();
        if self.lexer.take_prefix("}") {
            return Ok(object.finish());
        }
        loop {
            self.skip_blanks();
            let position = self.lexer.position();
            if self.lexer.peek() != Some('"') {
                return Err(self.invalid("looking for beginning of object key string"));
            }
            let key = self.text()?;
            self.skip_blanks();
            if !self.lexer.take_prefix(":") {
                return Err(self.invalid("after object key"));
            }
            let value = self.value(depth + 1)?;
            object.put(Entry {
                key,
                position,
                value,
            });
            self.skip_blanks();
            if self.lexer.take_prefix("}") {
                return Ok(object.finish());
            }
            if !self.lexer.take_prefix(",") {
                return Err(self.invalid("after object key:value pair"));
            }
        }
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Value>, JsonError> {
        self.lexer.take();
        let mut items = Vec::new();
        self.skip_blanks();
        if self.lexer.take_prefix("]") {
            return Ok(items);
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.skip_blanks();
            if self.lexer.take_prefix("]") {
                return Ok(items);
            }
            if !self.lexer.take_prefix(",") {
                return Err(self.invalid("after array element"));
            }
        }
    }

    fn text(&mut self) -> Result<String, JsonError> {
        self.lexer.take();
        let mut text = String::new();
        loop {
            match self.lexer.peek() {
                Some('"') => {
                    self.lexer.take();
                    return Ok(text);
                }
                Some('\\') => {
                    self.lexer.take();
                    text.push(self.escape()?);
                }
                Some(character) if character >= ' ' => {
                    text.push(character);
                    self.lexer.take();
                }
                _ => return Err(self.invalid("in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let character = match self.lexer.peek() {
            Some('b') => '\u{08}',
            Some('f') => '\u{0c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some(same @ ('"' | '\\' | '/')) => same,
            Some('u') => {
                self.lexer.take();
                return self.escaped_code_point();
            }
            _ => return Err(self.invalid("in string escape code")),
        };
        self.lexer.take();
        Ok(character)
    }

    /// A `\u` escape; half a surrogate pair becomes U+FFFD, as in Go.
    fn escaped_code_point(&mut self) -> Result<char, JsonError> {
        let first = self.four_digits()?;
        if !(0xd800..0xdc00).contains(&first) {
            return Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        let mut ahead = Self {
            lexer: self.lexer.clone(),
        };
        if ahead.lexer.take_prefix("\\u")
            && let Ok(second) = ahead.four_digits()
            && (0xdc00..0xe000).contains(&second)
        {
            self.lexer = ahead.lexer;
            let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
            return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
        Ok(char::REPLACEMENT_CHARACTER)
    }

    fn four_digits(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.lexer.peek().and_then(|digit| digit.to_digit(16));
            let digit = digit.ok_or_else(|| self.invalid("in \\u hexadecimal character escape"))?;
            self.lexer.take();
            code = code * 16 + digit;
        }
        Ok(code)
    }

    fn number(&mut self, position: Position) -> Result<ValueKind, JsonError> {
        let mut text = String::new();
        if self.lexer.take_prefix("-") {
            text.push('-');
        }
        if self.lexer.take_prefix("0") {
            text.push('0');
        } else {
            self.digits(&mut text, "in numeric literal")?;
        }
        if self.lexer.take_prefix(".") {
            text.push('.');
            self.digits(&mut text, "after decimal point in numeric literal")?;
        }
        if matches!(self.lexer.peek(), Some('e' | 'E')) {
            self.lexer.take();
            text.push('e');
            if let Some(sign) = self.lexer.peek().filter(|sign| matches!(sign, '+' | '-')) {
                text.push(sign);
                self.lexer.take();
            }
            self.digits(&mut text, "in exponent of numeric literal")?;
        }
        number::parse(&text).or_else(|_| big_number(&text, position))
    }

    fn digits(&mut self, text: &mut String, place: &str) -> Result<(), JsonError> {
        let digits = self
            .lexer
            .take_while(|character| character.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.invalid(place));
        }
        text.push_str(digits);
        Ok(())
    }

    fn literal(&mut self, word: &'static str, kind: ValueKind) -> Result<ValueKind, JsonError> {
        for (index, letter) in word.chars().enumerate() {
            if self.lexer.peek() != Some(letter) {
                debug_assert!(index > 0, "the first letter chose the word");
                return Err(self.invalid(&format!("in literal {word} (expecting '{letter}')")));
            }
            self.lexer.take();
        }
        Ok(kind)
    }

    fn skip_blanks(&mut self) {
        self.lexer
            .take_while(|character| matches!(character, ' ' | '\t' | '\r' | '\n'));
    }

    fn invalid(&self, place: &str) -> JsonError {
        let cause = match self.lexer.peek() {
            None => Cause::End,
            Some(found) => Cause::Character {
                found,
                place: place.to_owned(),
            },
        };
        JsonError::new(self.lexer.position(), cause)
    }
}

/// An integer beyond 64 bits is kept as a float, which JSON allows.
fn big_number(text: &str, position: Position) -> Result<ValueKind, JsonError> {
    match text.parse::<f64>() {
        Ok(float) if float.is_finite() => Ok(ValueKind::Float(float)),
        _ => Err(JsonError::new(position, Cause::Number(text.to_owned()))),
    }
}
