//! Reading JSON bodies as strictly, and as leniently, as Go's decoder does.
//!
//! Keys match without regard to case, unknown ones are refused, of two equal keys the later one
//! counts, only the first value of a body is read, and `null` says nothing about a field. Nesting
//! is bounded before anything is parsed.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// How deep a body may be nested. Consul's own deepest needs seven levels.
pub(crate) const MAX_DEPTH: usize = 32;

/// How many fields the object of a body may have, repeated ones counted. What is decoded here has
/// twenty; without a bound a body of a megabyte becomes twenty of memory.
const MAX_FIELDS: usize = 128;

/// Why a body is not what was asked for. Most texts are those of Go's decoder, because clients
/// show them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// A number that does not fit.
    #[error("json: cannot unmarshal number {found} into Go struct field {path} of type {wanted}")]
    Number {
        /// The number.
        found: String,
        /// The struct and the field.
        path: String,
        /// The field's type by its Go name.
        wanted: &'static str,
    },
    /// No body at all.
    #[error("EOF")]
    Empty,
    /// The body says nothing where an object is needed.
    #[error("the body is null, a JSON object is needed")]
    Null,
    /// It is no JSON.
    #[error("{0}")]
    Syntax(String),
    /// It is nested too deeply.
    #[error("JSON is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// It ends in the middle.
    #[error("unexpected EOF")]
    Truncated,
    /// A field that the object does not have.
    #[error("json: unknown field {0:?}")]
    UnknownField(String),
    /// A value of another type than the field has.
    #[error("json: cannot unmarshal {found} into Go struct field {path} of type {wanted}")]
    WrongType {
        /// What the body has.
        found: &'static str,
        /// The struct and the field.
        path: String,
        /// The field's type by its Go name.
        wanted: &'static str,
    },
    /// A body of another type than an object.
    #[error("json: cannot unmarshal {found} into Go value of type {wanted}")]
    WrongValue {
        /// What the body has.
        found: &'static str,
        /// The type by its Go name.
        wanted: &'static str,
    },
}

/// The fields of an object, in the order of the body.
///
/// Take every field there may be, then [`finish`](Self::finish).
#[derive(Debug)]
pub(crate) struct Object {
    go_struct: &'static str,
    fields: Vec<(String, Value)>,
}

impl Object {
    /// Reads the first value of `body`. `go_type` is how Go names the whole, `go_struct` how it
    /// names the object that a field is in (nothing for an anonymous one).
    pub(crate) fn read(
        body: &[u8],
        go_type: &'static str,
        go_struct: &'static str,
    ) -> Result<Option<Self>, DecodeError> {
        match first_value(body)? {
            First::Object(fields) => Ok(Some(Self { go_struct, fields })),
            First::Other(Value::Null) => Ok(None),
            First::Other(other) => Err(DecodeError::WrongValue {
                found: go_sort(&other),
                wanted: go_type,
            }),
        }
    }

    /// An object without fields.
    pub(crate) const fn empty(go_struct: &'static str) -> Self {
        Self {
            go_struct,
            fields: Vec::new(),
        }
    }

    /// A text; empty if it is not said.
    pub(crate) fn text(
        &mut self,
        name: &str,
        go_type: &'static str,
    ) -> Result<String, DecodeError> {
        match self.take(name) {
            None => Ok(String::new()),
            Some(Value::String(text)) => Ok(text),
            Some(other) => Err(self.wrong_type(name, &other, go_type)),
        }
    }

    /// A whole number; 0 if it is not said.
    pub(crate) fn integer(&mut self, name: &str) -> Result<i64, DecodeError> {
        match self.take(name) {
            None => Ok(0),
            Some(Value::Number(number)) => number
                .as_i64()
                .ok_or_else(|| self.wrong_number(name, &number, "int")),
            Some(other) => Err(self.wrong_type(name, &other, "int")),
        }
    }

    /// A whole number that is not negative; 0 if it is not said.
    pub(crate) fn unsigned(&mut self, name: &str) -> Result<u64, DecodeError> {
        match self.take(name) {
            None => Ok(0),
            Some(Value::Number(number)) => number
                .as_u64()
                .ok_or_else(|| self.wrong_number(name, &number, "uint64")),
            Some(other) => Err(self.wrong_type(name, &other, "uint64")),
        }
    }

    /// Yes or no; no if it is not said.
    pub(crate) fn boolean(&mut self, name: &str) -> Result<bool, DecodeError> {
        match self.take(name) {
            None => Ok(false),
            Some(Value::Bool(yes)) => Ok(yes),
            Some(other) => Err(self.wrong_type(name, &other, "bool")),
        }
    }

    /// An object of anything; empty if it is not said.
    pub(crate) fn map(&mut self, name: &str) -> Result<Map<String, Value>, DecodeError> {
        match self.take(name) {
            None => Ok(Map::new()),
            Some(Value::Object(map)) => Ok(map),
            Some(other) => Err(self.wrong_type(name, &other, "map[string]interface {}")),
        }
    }

    /// A map of texts; empty if it is not said.
    pub(crate) fn text_map(&mut self, name: &str) -> Result<BTreeMap<String, String>, DecodeError> {
        let pairs = match self.take(name) {
            None => return Ok(BTreeMap::new()),
            Some(Value::Object(pairs)) => pairs,
            Some(other) => return Err(self.wrong_type(name, &other, "map[string]string")),
        };
        pairs
            .into_iter()
            .map(|(key, value)| match value {
                Value::String(text) => Ok((key, text)),
                Value::Null => Ok((key, String::new())),
                other => Err(self.wrong_type(name, &other, "string")),
            })
            .collect()
    }

    /// Refuses fields that nobody has taken.
    pub(crate) fn finish(self) -> Result<(), DecodeError> {
        match self.fields.into_iter().next() {
            None => Ok(()),
            Some((name, _)) => Err(DecodeError::UnknownField(name)),
        }
    }

    /// The last value of a field, unless it is null.
    fn take(&mut self, name: &str) -> Option<Value> {
        let mut found = None;
        self.fields.retain_mut(|(key, value)| {
            let is_it = key.eq_ignore_ascii_case(name);
            if is_it && !value.is_null() {
                found = Some(std::mem::take(value));
            }
            !is_it
        });
        found
    }

    fn path(&self, name: &str) -> String {
        format!("{}.{name}", self.go_struct)
    }

    fn wrong_type(&self, name: &str, found: &Value, wanted: &'static str) -> DecodeError {
        DecodeError::WrongType {
            found: go_sort(found),
            path: self.path(name),
            wanted,
        }
    }

    fn wrong_number(
        &self,
        name: &str,
        found: &serde_json::Number,
        wanted: &'static str,
    ) -> DecodeError {
        DecodeError::Number {
            found: found.to_string(),
            path: self.path(name),
            wanted,
        }
    }
}

/// Go's word for the sort of a JSON value.
const fn go_sort(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The first value of a body, its fields in order if it is an object.
enum First {
    Object(Vec<(String, Value)>),
    Other(Value),
}

fn first_value(body: &[u8]) -> Result<First, DecodeError> {
    check_depth(body)?;
    let mut values = serde_json::Deserializer::from_slice(body).into_iter::<First>();
    match values.next() {
        None => Err(DecodeError::Empty),
        Some(Ok(value)) => Ok(value),
        Some(Err(error)) if error.is_eof() => Err(DecodeError::Truncated),
        Some(Err(error)) => Err(DecodeError::Syntax(syntax_text(body, &error))),
    }
}

/// Go's text for a body that does not even begin as JSON, ours for all others.
fn syntax_text(body: &[u8], error: &serde_json::Error) -> String {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    match first {
        Some(byte) if !b"{[\"-0123456789tfn".contains(byte) => format!(
            "invalid character {:?} looking for beginning of value",
            char::from(*byte)
        ),
        _ => format!("invalid JSON: {error}"),
    }
}

/// Refuses a first value that is nested too deeply, without recursion.
pub(crate) fn check_depth(body: &[u8]) -> Result<(), DecodeError> {
    // Nearly all bodies have too few brackets to be looked at one by one.
    let brackets = body.iter().filter(|byte| matches!(byte, b'{' | b'['));
    if brackets.count() <= MAX_DEPTH {
        return Ok(());
    }
    let mut depth = 0_usize;
    let (mut in_string, mut escaped) = (false, false);
    for byte in body {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(DecodeError::TooDeep);
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Ok(());
                }
            }
            _ => {}
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for First {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FirstVisitor)
    }
}

struct FirstVisitor;

impl<'de> Visitor<'de> for FirstVisitor {
    type Value = First;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<First, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            if fields.len() == MAX_FIELDS {
                return Err(de::Error::custom(format_args!(
                    "more than {MAX_FIELDS} fields in one object"
                )));
            }
            fields.push(field);
        }
        Ok(First::Object(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<First, A::Error> {
        while items.next_element::<de::IgnoredAny>()?.is_some() {}
        Ok(First::Other(Value::Array(Vec::new())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<First, E> {
        Ok(First::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<First, E> {
        Ok(First::Other(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<First, E> {
        Ok(First::Other(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<First, E> {
        Ok(First::Other(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<First, E> {
        Ok(First::Other(value.into()))
    }

    fn visit_unit<E>(self) -> Result<First, E> {
        Ok(First::Other(Value::Null))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(body: &str) -> Result<Object, DecodeError> {
        Ok(Object::read(body.as_bytes(), "structs.Thing", "Thing")?
            .unwrap_or(Object::empty("Thing")))
    }

    #[test]
    fn keys_match_in_any_case_and_the_last_of_them_counts() {
        let mut read = object(r#"{"name":"a","NAME":"b","Name":null} trailing garbage"#).unwrap();
        assert_eq!(read.text("Name", "string"), Ok("b".to_owned()));
        assert_eq!(read.finish(), Ok(()));
    }

    #[test]
    fn mistakes_have_the_words_of_go() {
        for (body, text) in [
            ("", "EOF"),
            (" \n", "EOF"),
            (r#"{"Name":"#, "unexpected EOF"),
            (
                "hello",
                "invalid character 'h' looking for beginning of value",
            ),
            (
                "[]",
                "json: cannot unmarshal array into Go value of type structs.Thing",
            ),
            (
                "\"x\"",
                "json: cannot unmarshal string into Go value of type structs.Thing",
            ),
            (r#"{"Bogus":1}"#, "json: unknown field \"Bogus\""),
            (
                r#"{"Name":5}"#,
                "json: cannot unmarshal number into Go struct field Thing.Name of type string",
            ),
            (
                r#"{"Port":1.5}"#,
                "json: cannot unmarshal number 1.5 into Go struct field Thing.Port of type int",
            ),
            (
                r#"{"Index":-1}"#,
                "json: cannot unmarshal number -1 into Go struct field Thing.Index of type uint64",
            ),
            (
                r#"{"Meta":["x"]}"#,
                "json: cannot unmarshal array into Go struct field Thing.Meta of type map[string]string",
            ),
            (
                r#"{"Meta":{"x":1}}"#,
                "json: cannot unmarshal number into Go struct field Thing.Meta of type string",
            ),
        ] {
            let found = object(body).and_then(|mut read| {
                read.text("Name", "string")?;
                read.integer("Port")?;
                read.unsigned("Index")?;
                read.text_map("Meta")?;
                read.finish()
            });
            assert_eq!(found.unwrap_err().to_string(), text, "{body}");
        }
    }

    #[test]
    fn fields_are_bounded_at_the_field() {
        let repeated = |count: usize| format!("{{{}\"Name\":\"a\"}}", "\"Name\":1,".repeat(count));
        assert!(object(&repeated(MAX_FIELDS - 1)).is_ok());
        assert!(matches!(
            object(&repeated(MAX_FIELDS)),
            Err(DecodeError::Syntax(_))
        ));
    }

    #[test]
    fn nesting_is_bounded_at_the_level() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert_eq!(check_depth(nested(MAX_DEPTH).as_bytes()), Ok(()));
        assert_eq!(
            check_depth(nested(MAX_DEPTH + 1).as_bytes()),
            Err(DecodeError::TooDeep)
        );
        assert_eq!(check_depth(&[b'['; 1_000_000]), Err(DecodeError::TooDeep));
        let quoted = format!("{{\"a\\\"{}\":1}}", "[".repeat(100));
        assert_eq!(check_depth(quoted.as_bytes()), Ok(()));
    }
}
