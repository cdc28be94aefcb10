//! Reading an expression from left to right, each character once or twice.

use super::error::ExpressionError;
use super::expression::{Expression, Node, Operator, Test};
use super::literal::unescaped;

const BEGINNING: &str = "a selector, a value, \"not\" or an opening bracket";
const OPERATOR: &str = "==, !=, contains, not contains, matches, not matches, is empty, \
                        is not empty, in or not in";
const VALUE: &str = "a bare word, a number, or a string in \" or `";

pub(super) fn parse(text: &str) -> Result<Node, ExpressionError> {
    if text.len() > Expression::MAX_LENGTH {
        return Err(ExpressionError::Long { found: text.len() });
    }
    let mut parser = Parser {
        text,
        place: 0,
        depth: 0,
        patterns: 0,
    };
    parser.skip_space();
    let node = parser.any()?;
    parser.skip_space();
    if parser.rest().is_empty() {
        Ok(node)
    } else {
        parser.unjoined("\"and\", \"or\" or the end")
    }
}

struct Parser<'a> {
    text: &'a str,
    /// The byte that comes next.
    place: usize,
    depth: usize,
    patterns: usize,
}

type Parsed<T> = Result<T, ExpressionError>;

impl<'a> Parser<'a> {
    fn any(&mut self) -> Parsed<Node> {
        let first = self.all()?;
        let mut nodes = vec![first];
        while self.joined_by("or") {
            nodes.push(self.all()?);
        }
        Ok(one_or(nodes, Node::Any))
    }

    fn all(&mut self) -> Parsed<Node> {
        let first = self.negation()?;
        let mut nodes = vec![first];
        while self.joined_by("and") {
            nodes.push(self.negation()?);
        }
        Ok(one_or(nodes, Node::All))
    }

    fn negation(&mut self) -> Parsed<Node> {
        let start = self.place;
        if self.takes_word("not") && self.skip_space() && !self.follows_as_name() {
            let node = self.deeper(start, Self::negation)?;
            return Ok(Node::Not(Box::new(node)));
        }
        self.place = start;
        if self.takes("(") {
            self.skip_space();
            let node = self.deeper(start, Self::any)?;
            self.skip_space();
            if !self.takes(")") {
                return self.unjoined("\"and\", \"or\" or a closing bracket");
            }
            return Ok(node);
        }
        self.test()
    }

    /// Whether the "not" that was read is a name itself: `not in Tags`, `not == x`.
    fn follows_as_name(&self) -> bool {
        let rest = self.rest();
        let mut words = rest.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("is"), Some(next)) => next.starts_with("empty") || next == "not",
            (Some("in"), Some(next)) => !matches!(next, "in" | "not") && !is_symbol(next),
            (Some("contains" | "matches"), Some(next)) => {
                !matches!(next, "in" | "is" | "not" | "contains" | "matches") && !is_symbol(next)
            }
            _ => is_symbol(rest),
        }
    }

    fn deeper(
        &mut self,
        start: usize,
        inner: impl FnOnce(&mut Self) -> Parsed<Node>,
    ) -> Parsed<Node> {
        if self.depth == Expression::MAX_DEPTH {
            let at = self.character(start);
            return Err(ExpressionError::Deep { at });
        }
        self.depth += 1;
        let node = inner(self)?;
        self.depth -= 1;
        Ok(node)
    }

    fn test(&mut self) -> Parsed<Node> {
        let (value, selector) = match self.selector()? {
            Some(selector) => (selector.join("."), Some(selector)),
            None => match self.number_or_string()? {
                Some(value) => (value, None),
                None => return self.unexpected(BEGINNING),
            },
        };
        let begin = self.place;
        if let Some(selector) = selector
            && let Some(node) = self.about(selector)?
        {
            return Ok(node);
        }
        self.place = begin;
        if !self.skip_space() {
            return self.unexpected(OPERATOR);
        }
        let negated = self.takes_word("not") && self.skip_space();
        if !(self.takes_word("in") && self.skip_space()) {
            self.place = begin;
            return self.unexpected(OPERATOR);
        }
        let Some(selector) = self.selector()? else {
            return self.unexpected("a selector");
        };
        Ok(Node::Test(Test {
            selector,
            operator: Operator::In,
            negated,
            value,
        }))
    }

    /// The test of a selector that stands before its operator; nothing if another follows.
    fn about(&mut self, selector: Vec<String>) -> Parsed<Option<Node>> {
        let begin = self.place;
        let spaced = self.skip_space();
        let start = self.place;
        let (operator, negated) = if self.takes("==") {
            (Operator::Equal, false)
        } else if self.takes("!=") {
            (Operator::Equal, true)
        } else if !spaced {
            self.place = begin;
            return Ok(None);
        } else if self.takes_word("is") && self.skip_space() {
            let negated = self.takes_word("not") && self.skip_space();
            if !self.takes_word("empty") {
                return self.unexpected("\"empty\" or \"not empty\"");
            }
            return Ok(Some(Node::Test(Test {
                selector,
                operator: Operator::Empty,
                negated,
                value: String::new(),
            })));
        } else {
            self.place = start;
            let negated = self.takes_word("not") && self.skip_space();
            let operator = if self.takes_word("contains") {
                Operator::In
            } else if self.takes_word("matches") {
                Operator::Matches
            } else {
                return Ok(None);
            };
            if !self.skip_space() {
                return self.unexpected(VALUE);
            }
            (operator, negated)
        };
        self.skip_space();
        if operator == Operator::Matches {
            self.patterns += 1;
            if self.patterns > Expression::MAX_PATTERNS {
                let at = self.character(self.place);
                return Err(ExpressionError::Patterns { at });
            }
        }
        let value = match self.selector()? {
            Some(words) => words.join("."),
            None => match self.number_or_string()? {
                Some(value) => value,
                None => return self.unexpected(VALUE),
            },
        };
        Ok(Some(Node::Test(Test {
            selector,
            operator,
            negated,
            value,
        })))
    }

    fn selector(&mut self) -> Parsed<Option<Vec<String>>> {
        let Some(first) = self.name() else {
            return Ok(None);
        };
        let mut parts = vec![first.to_owned()];
        loop {
            if self.takes(".") {
                let Some(name) = self.name() else {
                    return self.unexpected("a name");
                };
                parts.push(name.to_owned());
            } else if self.takes("[") {
                self.skip_space();
                let Some(key) = self.string()? else {
                    return self.unexpected("a string in \" or `");
                };
                self.skip_space();
                if !self.takes("]") {
                    return self.unexpected("]");
                }
                parts.push(key);
            } else {
                return Ok(Some(parts));
            }
        }
    }

    /// `[a-zA-Z][a-zA-Z0-9_]*`
    fn name(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        if !rest.starts_with(|first: char| first.is_ascii_alphabetic()) {
            return None;
        }
        let end = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '_');
        let name = rest.get(..end.unwrap_or(rest.len()))?;
        self.place += name.len();
        Some(name)
    }

    fn number_or_string(&mut self) -> Parsed<Option<String>> {
        match self.number()? {
            Some(number) => Ok(Some(number.to_owned())),
            None => self.string(),
        }
    }

    /// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, and then white space, a closing bracket, or the end.
    fn number(&mut self) -> Parsed<Option<&'a str>> {
        let rest = self.rest();
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        if !unsigned.starts_with(|first: char| first.is_ascii_digit()) {
            return Ok(None);
        }
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let whole = if unsigned.starts_with('0') {
            1
        } else {
            digits(unsigned)
        };
        let fraction = unsigned
            .get(whole..)
            .and_then(|rest| rest.strip_prefix('.'))
            .map_or(0, digits);
        let sign = rest.len() - unsigned.len();
        let length = sign + whole + if fraction > 0 { fraction + 1 } else { 0 };
        let after = rest.get(length..).unwrap_or_default();
        if !(after.is_empty() || after.starts_with([' ', '\t', '\r', '\n', ')'])) {
            return self.unexpected("a number, or a value in \"");
        }
        self.place += length;
        Ok(rest.get(..length))
    }

    fn string(&mut self) -> Parsed<Option<String>> {
        let start = self.place;
        let rest = self.rest();
        let Some(quote) = rest
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '`'))
        else {
            return Ok(None);
        };
        let inside = rest.get(1..).unwrap_or_default();
        let Some(inner) = inside.find(quote).and_then(|end| inside.get(..end)) else {
            self.place = self.text.len();
            return self.unexpected("the end of the string");
        };
        let value = if quote == '`' {
            // Go leaves carriage returns out of what stands as it is.
            Some(inner.replace('\r', ""))
        } else {
            unescaped(inner)
        };
        self.place = start + inner.len() + 2;
        match value {
            Some(value) => Ok(Some(value)),
            None => {
                self.place = start;
                self.unexpected("a string with Go's escapes, or one in `")
            }
        }
    }

    /// Takes a word that joins two parts, if one follows with white space around it.
    fn joined_by(&mut self, word: &str) -> bool {
        let start = self.place;
        let joined = self.skip_space() && self.takes_word(word) && self.skip_space();
        if !joined {
            self.place = start;
        }
        joined
    }

    fn skip_space(&mut self) -> bool {
        let rest = self.rest();
        let left = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        self.place += rest.len() - left.len();
        left.len() < rest.len()
    }

    fn takes(&mut self, wanted: &str) -> bool {
        let found = self.rest().starts_with(wanted);
        if found {
            self.place += wanted.len();
        }
        found
    }

    /// Takes `word` unless it is only the beginning of a longer name.
    fn takes_word(&mut self, word: &str) -> bool {
        let follows = self.rest().strip_prefix(word);
        let whole = follows.is_some_and(|after| {
            !after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '_')
        });
        whole && self.takes(word)
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn character(&self, place: usize) -> usize {
        1 + self.text.get(..place).unwrap_or_default().chars().count()
    }

    /// What follows an expression is not `expected`. Where it is a word that joins, what is wrong
    /// is what follows that.
    fn unjoined<T>(&mut self, expected: &'static str) -> Parsed<T> {
        if self.takes_word("and") || self.takes_word("or") {
            return self.unexpected("white space and another expression");
        }
        self.unexpected(expected)
    }

    fn unexpected<T>(&self, expected: &'static str) -> Parsed<T> {
        const SHOWN: usize = 20;
        let rest = self.rest();
        let shown: String = rest.chars().take(SHOWN).collect();
        let found = match rest.len() {
            0 => "the end".to_owned(),
            _ => format!("{shown:?}"),
        };
        Err(ExpressionError::Unexpected {
            at: self.character(self.place),
            found,
            expected,
        })
    }
}

fn is_symbol(text: &str) -> bool {
    text.starts_with("==") || text.starts_with("!=")
}

fn one_or(mut nodes: Vec<Node>, join: fn(Vec<Node>) -> Node) -> Node {
    match nodes.pop() {
        Some(only) if nodes.is_empty() => only,
        Some(last) => {
            nodes.push(last);
            join(nodes)
        }
        None => join(nodes),
    }
}
