//! The query string of a request.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

/// How many pairs a query may have. A list of names to match is the longest that makes sense.
const MAX_PAIRS: usize = 1_000;

/// The decoded pairs of a query, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

/// Why a query cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// A `%` without two hexadecimal digits, or bytes that are no text.
    #[error("the query string has a broken escape")]
    BrokenEscape,
    /// More pairs than anybody needs.
    #[error("the query string has {found} parameters, at most {MAX_PAIRS} are allowed")]
    TooMany {
        /// How many there are.
        found: usize,
    },
}

impl Query {
    /// Decodes a query as forms are encoded: `+` is a space, a key without `=` has no value.
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        let found = text.split('&').filter(|pair| !pair.is_empty()).count();
        if found > MAX_PAIRS {
            return Err(QueryError::TooMany { found });
        }
        let pairs = text
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Ok((unescape(key)?, unescape(value)?))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { pairs })
    }

    /// The first value of a parameter; nothing if it is absent.
    pub(crate) fn first(&self, key: &str) -> Option<&str> {
        self.all(key).next()
    }

    /// The first value of a parameter that says something.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        self.first(key).filter(|value| !value.is_empty())
    }

    /// The value of a parameter that must be there exactly once.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        let mut values = self.all(key);
        values.next().filter(|_| values.next().is_none())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, key: &str) -> impl Iterator<Item = &'a str> {
        self.pairs
            .iter()
            .filter(move |(found, _)| found == key)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there, with or without a value.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.first(key).is_some()
    }
}

fn unescape(text: &str) -> Result<String, QueryError> {
    let text = if text.contains('+') {
        Cow::Owned(text.replace('+', " "))
    } else {
        Cow::Borrowed(text)
    };
    decode(&text).ok_or(QueryError::BrokenEscape)
}

/// Decodes percent escapes strictly: each must be whole, and the result must be UTF-8.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| *byte == b'%') {
        let digits = rest.get(place + 1..place + 3)?;
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return None;
        }
        rest = rest.get(place + 3..)?;
    }
    let decoded = percent_decode_str(text).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_found() {
        let query = Query::parse("a=1&b&&a=%C3%A9+x%3D&=z&pretty=").unwrap();
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "é x="]);
        assert_eq!((query.first("b"), query.text("b")), (Some(""), None));
        assert_eq!((query.single("a"), query.single("b")), (None, Some("")));
        assert!(query.has("pretty") && !query.has("c"));
    }

    #[test]
    fn broken_escapes_are_refused() {
        for text in ["%zz", "a=%", "a=%4", "%ff=a", "a=%+1"] {
            assert_eq!(Query::parse(text), Err(QueryError::BrokenEscape), "{text}");
        }
    }

    #[test]
    fn the_number_of_pairs_is_bounded_at_the_pair() {
        assert!(Query::parse(&"a=1&".repeat(MAX_PAIRS)).is_ok());
        assert_eq!(
            Query::parse(&"a&".repeat(MAX_PAIRS + 1)),
            Err(QueryError::TooMany {
                found: MAX_PAIRS + 1
            })
        );
    }
}
