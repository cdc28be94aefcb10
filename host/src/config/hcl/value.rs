//! The tree that a document becomes.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Number};

/// Where something stands in a document, counted from 1; columns count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
}

impl Position {
    /// The first character of a document.
    pub const START: Self = Self { line: 1, column: 1 };

    /// The position behind `character`, which stands at this one.
    pub(crate) const fn after(self, character: char) -> Self {
        if character == '\n' {
            Self {
                line: self.line.saturating_add(1),
                column: 1,
            }
        } else {
            Self {
                line: self.line,
                column: self.column.saturating_add(1),
            }
        }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One value and where it stands.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Value {
    /// What it is.
    pub kind: ValueKind,
    /// Where it begins.
    pub position: Position,
}

impl Value {
    /// A value at a position.
    #[must_use]
    pub const fn new(kind: ValueKind, position: Position) -> Self {
        Self { kind, position }
    }

    /// The object, if this is one.
    #[must_use]
    pub const fn as_object(&self) -> Option<&Object> {
        match &self.kind {
            ValueKind::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The text, if this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match &self.kind {
            ValueKind::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The same value as JSON, without positions. A number that JSON cannot say becomes `null`.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match &self.kind {
            ValueKind::Null => serde_json::Value::Null,
            ValueKind::Boolean(boolean) => (*boolean).into(),
            ValueKind::Integer(integer) => (*integer).into(),
            ValueKind::Float(float) => {
                Number::from_f64(*float).map_or(serde_json::Value::Null, serde_json::Value::Number)
            }
            ValueKind::Text(text) => text.as_str().into(),
            ValueKind::List(items) => items.iter().map(Self::to_json).collect(),
            ValueKind::Object(object) => serde_json::Value::Object(object.to_json()),
        }
    }

    /// What was found, for an error message: long texts are cut, control characters escaped.
    #[must_use]
    pub fn describe(&self) -> String {
        match &self.kind {
            ValueKind::Null => "null".to_owned(),
            ValueKind::Boolean(boolean) => boolean.to_string(),
            ValueKind::Integer(integer) => integer.to_string(),
            ValueKind::Float(float) => float.to_string(),
            ValueKind::Text(text) => quoted(text),
            ValueKind::List(_) => "a list".to_owned(),
            ValueKind::Object(_) => "a block".to_owned(),
        }
    }

    /// What sort of thing was found, without its value: for keys that hold secrets.
    #[must_use]
    pub const fn describe_sort(&self) -> &'static str {
        match &self.kind {
            ValueKind::Null => "null",
            ValueKind::Boolean(_) => "true or false",
            ValueKind::Integer(_) | ValueKind::Float(_) => "a number",
            ValueKind::Text(_) => "a text",
            ValueKind::List(_) => "a list",
            ValueKind::Object(_) => "a block",
        }
    }

    /// The name that Go's JSON decoder has for this sort of value.
    #[must_use]
    pub const fn json_sort(&self) -> &'static str {
        match &self.kind {
            ValueKind::Null => "null",
            ValueKind::Boolean(_) => "bool",
            ValueKind::Integer(_) | ValueKind::Float(_) => "number",
            ValueKind::Text(_) => "string",
            ValueKind::List(_) => "array",
            ValueKind::Object(_) => "object",
        }
    }

    /// Whether a repetition of this value makes a list: a block, or a list that ends with one.
    /// Only the end is looked at, so that many blocks cost no more than their number.
    fn is_repeatable(&self) -> bool {
        match &self.kind {
            ValueKind::Object(_) => true,
            ValueKind::List(items) => items.last().is_none_or(|item| item.as_object().is_some()),
            _ => false,
        }
    }

    fn into_items(self) -> Vec<Self> {
        match self.kind {
            ValueKind::List(items) => items,
            kind => vec![Self::new(kind, self.position)],
        }
    }
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::exhaustive_enums,
    reason = "the seven sorts of value that HCL 1 and JSON have"
)]
pub enum ValueKind {
    /// JSON's `null`; HCL has none.
    Null,
    /// `true` or `false`.
    Boolean(bool),
    /// A number without fraction and exponent that fits 64 bits.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A quoted text or a heredoc.
    Text(String),
    /// `[ … ]`, or a repeated block.
    List(Vec<Value>),
    /// `{ … }`.
    Object(Object),
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entry {
    /// The key as written, without quotes.
    pub key: String,
    /// Where the key stands.
    pub position: Position,
    /// The value.
    pub value: Value,
}

/// Keys and values in the order in which the document has them; no key twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object {
    entries: Vec<Entry>,
}

impl Object {
    /// An object with one key, at the beginning of a document.
    pub(crate) fn single(key: &str, value: Value) -> Self {
        Self {
            entries: vec![Entry {
                key: key.to_owned(),
                position: value.position,
                value,
            }],
        }
    }

    /// The entries in document order.
    pub fn iter(&self) -> std::slice::Iter<'_, Entry> {
        self.entries.iter()
    }

    /// The entry with exactly this key.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }

    /// How many keys there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The same object as JSON.
    #[must_use]
    pub fn to_json(&self) -> Map<String, serde_json::Value> {
        self.entries
            .iter()
            .map(|entry| (entry.key.clone(), entry.value.to_json()))
            .collect()
    }
}

impl<'a> IntoIterator for &'a Object {
    type Item = &'a Entry;
    type IntoIter = std::slice::Iter<'a, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter()
    }
}

/// An object while it is read. Keys are found by hash, because a stranger chooses their number.
#[derive(Debug, Default)]
pub(super) struct ObjectBuilder {
    entries: Vec<Entry>,
    places: HashMap<String, usize>,
}

impl ObjectBuilder {
    /// Adds an entry by HCL's rule: blocks repeat into a list, anything else replaces.
    pub(super) fn add(&mut self, new: Entry) {
        let Some(old) = self.existing(&new.key) else {
            self.push(new);
            return;
        };
        if old.value.is_repeatable() && new.value.is_repeatable() {
            let empty = Value::new(ValueKind::Null, old.value.position);
            let mut items = std::mem::replace(&mut old.value, empty).into_items();
            items.extend(new.value.into_items());
            old.value.kind = ValueKind::List(items);
        } else {
            *old = new;
        }
    }

    /// Adds an entry by JSON's rule: a repeated key replaces.
    pub(super) fn put(&mut self, new: Entry) {
        match self.existing(&new.key) {
            Some(old) => *old = new,
            None => self.push(new),
        }
    }

    pub(super) fn finish(self) -> Object {
        Object {
            entries: self.entries,
        }
    }

    fn existing(&mut self, key: &str) -> Option<&mut Entry> {
        let place = *self.places.get(key)?;
        self.entries.get_mut(place)
    }

    fn push(&mut self, new: Entry) {
        self.places.insert(new.key.clone(), self.entries.len());
        self.entries.push(new);
    }
}

/// A text in quotes for an error message: at most 60 characters, nothing unprintable.
pub(crate) fn quoted(text: &str) -> String {
    const SHOWN: usize = 60;
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(char::escape_debug)
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    format!("\"{shown}\"")
}
