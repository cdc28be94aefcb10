//! Text to tokens.

use super::heredoc;
use super::number;
use super::parser::SyntaxError;
use super::value::{Position, ValueKind, quoted};

/// What the grammar is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Assign,
    CloseBrace,
    CloseBracket,
    Comma,
    End,
    Identifier(String),
    /// A boolean, a number or a text.
    Literal(ValueKind),
    OpenBrace,
    OpenBracket,
}

impl Token {
    /// The token in an error message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Assign => "'='".to_owned(),
            Self::CloseBrace => "'}'".to_owned(),
            Self::CloseBracket => "']'".to_owned(),
            Self::Comma => "','".to_owned(),
            Self::End => "the end of the document".to_owned(),
            Self::Identifier(name) => format!("the bare word {}", quoted(name)),
            Self::Literal(ValueKind::Text(_)) => "a text".to_owned(),
            Self::Literal(ValueKind::Boolean(boolean)) => boolean.to_string(),
            Self::Literal(ValueKind::Integer(integer)) => integer.to_string(),
            Self::Literal(ValueKind::Float(float)) => float.to_string(),
            Self::Literal(_) => "a value".to_owned(),
            Self::OpenBrace => "'{'".to_owned(),
            Self::OpenBracket => "'['".to_owned(),
        }
    }
}

/// A reader of characters that knows where it stands.
#[derive(Clone, Debug)]
pub(super) struct Lexer<'a> {
    rest: &'a str,
    position: Position,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: text.strip_prefix('\u{feff}').unwrap_or(text),
            position: Position::START,
        }
    }

    /// The next token and where it begins.
    pub(super) fn next_token(&mut self) -> Result<(Token, Position), SyntaxError> {
        self.skip_blanks_and_comments()?;
        let start = self.position;
        let Some(character) = self.peek() else {
            return Ok((Token::End, start));
        };
        let token = match character {
            '=' => self.single(Token::Assign),
            ',' => self.single(Token::Comma),
            '{' => self.single(Token::OpenBrace),
            '}' => self.single(Token::CloseBrace),
            '[' => self.single(Token::OpenBracket),
            ']' => self.single(Token::CloseBracket),
            '"' => Token::Literal(ValueKind::Text(self.quoted_text()?)),
            '<' => Token::Literal(ValueKind::Text(heredoc::read(self)?)),
            '-' | '.' | '0'..='9' => self.number(start)?,
            _ if is_identifier_start(character) => self.word(),
            _ => {
                return Err(self.unexpected("a key, a value, a bracket or a comment"));
            }
        };
        Ok((token, start))
    }

    pub(super) const fn position(&self) -> Position {
        self.position
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let character = self.peek()?;
        self.rest = self.rest.get(character.len_utf8()..).unwrap_or_default();
        self.position = self.position.after(character);
        Some(character)
    }

    /// Takes `prefix` if it is next.
    pub(super) fn take_prefix(&mut self, prefix: &str) -> bool {
        if !self.rest.starts_with(prefix) {
            return false;
        }
        for _ in prefix.chars() {
            self.take();
        }
        true
    }

    pub(super) fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'a str {
        let text = self.rest;
        let mut length = 0;
        while let Some(character) = self.peek().filter(|character| accept(*character)) {
            length += character.len_utf8();
            self.take();
        }
        text.get(..length).unwrap_or_default()
    }

    /// An error at the next character.
    pub(super) fn unexpected(&self, expected: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "the end of the document".to_owned(),
            Some(character) => format!("'{}'", character.escape_debug()),
        };
        SyntaxError::new(self.position, found, expected)
    }

    fn single(&mut self, token: Token) -> Token {
        self.take();
        token
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(|character| matches!(character, ' ' | '\t' | '\r' | '\n'));
            if self.rest.starts_with('#') || self.rest.starts_with("//") {
                self.take_while(|character| character != '\n');
            } else if self.rest.starts_with("/*") {
                self.skip_long_comment()?;
            } else {
                return Ok(());
            }
        }
    }

    fn skip_long_comment(&mut self) -> Result<(), SyntaxError> {
        let start = self.position;
        self.take_prefix("/*");
        while !self.take_prefix("*/") {
            if self.take().is_none() {
                return Err(SyntaxError::new(
                    start,
                    "a comment without end".to_owned(),
                    "'*/' after it",
                ));
            }
        }
        Ok(())
    }

    fn word(&mut self) -> Token {
        let word = self.take_while(is_identifier_part);
        match word {
            "true" => Token::Literal(ValueKind::Boolean(true)),
            "false" => Token::Literal(ValueKind::Boolean(false)),
            _ => Token::Identifier(word.to_owned()),
        }
    }

    fn number(&mut self, start: Position) -> Result<Token, SyntaxError> {
        let mut text = String::new();
        while let Some(character) = self.peek() {
            let sign = matches!(character, '-' | '+')
                && (text.is_empty() || (text.ends_with(['e', 'E']) && !text.contains(['x', 'X'])));
            if !(sign || character == '.' || character.is_ascii_alphanumeric()) {
                break;
            }
            text.push(character);
            self.take();
        }
        number::parse(&text)
            .map(Token::Literal)
            .map_err(|expected| SyntaxError::new(start, quoted(&text), expected))
    }

    /// A text in double quotes. Inside `${ … }` everything stands for itself, quotes too.
    fn quoted_text(&mut self) -> Result<String, SyntaxError> {
        const END: &str = "'\"' at the end of the text";
        let start = self.position;
        let unfinished = || {
            SyntaxError::new(
                start,
                "a text without end".to_owned(),
                "'\"' on the same line",
            )
        };
        self.take();
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(unfinished()),
                Some('\n') => return Err(self.unexpected(END)),
                Some('"') => {
                    self.take();
                    return Ok(text);
                }
                Some('\\') => text.push(self.escape()?),
                Some('$') if self.rest.starts_with("${") => {
                    self.template(&mut text).ok_or_else(unfinished)?;
                }
                Some(character) => {
                    text.push(character);
                    self.take();
                }
            }
        }
    }

    /// Copies `${ … }` with its nested braces, or returns `None` at the end of the document.
    fn template(&mut self, text: &mut String) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            let character = self.take()?;
            text.push(character);
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if character == '}' && depth == 0 {
                return Some(());
            }
        }
    }

    fn escape(&mut self) -> Result<char, SyntaxError> {
        let start = self.position;
        self.take();
        let character = match self.peek() {
            Some('a') => '\u{07}',
            Some('b') => '\u{08}',
            Some('f') => '\u{0c}',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            Some('v') => '\u{0b}',
            Some(same @ ('\\' | '"')) => same,
            Some('0'..='7') => return self.code_point(start, 3, 8),
            Some('x') => return self.escaped_code_point(start, 2),
            Some('u') => return self.escaped_code_point(start, 4),
            Some('U') => return self.escaped_code_point(start, 8),
            _ => {
                return Err(
                    self.unexpected("one of a b f n r t v \\ \" x u U or 0 to 7 after '\\'")
                );
            }
        };
        self.take();
        Ok(character)
    }

    fn escaped_code_point(&mut self, start: Position, digits: usize) -> Result<char, SyntaxError> {
        self.take();
        self.code_point(start, digits, 16)
    }

    fn code_point(
        &mut self,
        start: Position,
        digits: usize,
        radix: u32,
    ) -> Result<char, SyntaxError> {
        let mut code = 0_u32;
        for _ in 0..digits {
            let Some(digit) = self.peek().and_then(|character| character.to_digit(radix)) else {
                return Err(self.unexpected(&format!("{digits} digits of base {radix}")));
            };
            self.take();
            code = code.saturating_mul(radix).saturating_add(digit);
        }
        char::from_u32(code).ok_or_else(|| {
            let found = format!("the code {code:#x}");
            SyntaxError::new(start, found, "the code of a character")
        })
    }
}

fn is_identifier_start(character: char) -> bool {
    character == '_' || character.is_alphabetic()
}

fn is_identifier_part(character: char) -> bool {
    matches!(character, '_' | '-' | '.') || character.is_alphanumeric()
}
