//! Typed reading of an object of the tree: every problem is noted, none stops the reading.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use chancery_core::{GoDuration, Secret};

use super::hcl::{Entry, Object, Position, Value, ValueKind};
use super::problem::{Problem, ProblemKind, Problems};
use super::suggestion;

/// A cursor over one object. Keys are the snake_case ones of Consul's configuration; a document
/// may write them in any case and with or without underscores.
pub(crate) struct Reader<'a, 'p> {
    object: &'a Object,
    path: String,
    known: Vec<&'static str>,
    problems: &'p mut Problems,
}

impl<'a, 'p> Reader<'a, 'p> {
    pub(crate) fn new(object: &'a Object, problems: &'p mut Problems) -> Self {
        Self {
            object,
            path: String::new(),
            known: Vec::new(),
            problems,
        }
    }

    pub(crate) fn text(&mut self, key: &'static str) -> Option<String> {
        let value = self.find(key)?;
        match &value.kind {
            ValueKind::Text(text) => Some(text.clone()),
            _ => self.wrong_sort(key, value, "a text in double quotes", "string"),
        }
    }

    /// A text that must never be printed.
    pub(crate) fn secret(&mut self, key: &'static str) -> Option<Secret> {
        let value = self.find(key)?;
        match &value.kind {
            ValueKind::Text(text) => Some(Secret::new(text.clone().into_bytes())),
            _ => {
                let found = value.describe_sort().to_owned();
                self.sort_problem(key, value, found, "a text in double quotes", "string");
                None
            }
        }
    }

    pub(crate) fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.find(key)?;
        match value.kind {
            ValueKind::Boolean(boolean) => Some(boolean),
            _ => self.wrong_sort(key, value, "true or false", "bool"),
        }
    }

    pub(crate) fn integer(&mut self, key: &'static str) -> Option<i64> {
        let value = self.find(key)?;
        match value.kind {
            ValueKind::Integer(integer) => Some(integer),
            // JSON writers may say 80.0; Go's decoder refuses that, Consul's file reader does not.
            ValueKind::Float(float) if float.fract() == 0.0 && float.abs() < 1e15 =>
            {
                #[expect(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
                Some(float as i64)
            }
            _ => self.wrong_sort(key, value, "a whole number", "int"),
        }
    }

    /// A whole number within `range`; `meaning` says what it counts, for the message.
    pub(crate) fn within(
        &mut self,
        key: &'static str,
        range: RangeInclusive<i64>,
        meaning: &str,
    ) -> Option<i64> {
        let integer = self.integer(key)?;
        if range.contains(&integer) {
            return Some(integer);
        }
        let (least, most) = (range.start(), range.end());
        self.refuse(
            key,
            format!("found {integer}, allowed is {meaning} from {least} to {most}"),
        );
        None
    }

    /// A port (0 lets the system choose one), or `None` in the answer for -1, which switches a
    /// listener off.
    pub(crate) fn listener_port(&mut self, key: &'static str) -> Option<Option<u16>> {
        let integer = self.integer(key)?;
        match u16::try_from(integer) {
            Ok(port) => Some(Some(port)),
            _ if integer == -1 => Some(None),
            _ => {
                let text = format!(
                    "found {integer}, allowed is -1 (off), 0 (any free one) or a port up to 65535"
                );
                self.refuse(key, text);
                None
            }
        }
    }

    /// A duration: Go's text, or a number of nanoseconds.
    pub(crate) fn duration(&mut self, key: &'static str) -> Option<GoDuration> {
        let value = self.find(key)?;
        match &value.kind {
            ValueKind::Text(text) => match GoDuration::parse(text) {
                Ok(duration) => Some(duration),
                Err(error) => {
                    self.problem(key, value.position, ProblemKind::Duration(error));
                    None
                }
            },
            ValueKind::Integer(nanos) => Some(GoDuration::from_nanos(*nanos)),
            _ => self.wrong_sort(key, value, "a duration such as \"90s\"", "time.Duration"),
        }
    }

    pub(crate) fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let value = self.find(key)?;
        self.texts_of(key, value)
    }

    pub(crate) fn text_map(&mut self, key: &'static str) -> Option<BTreeMap<String, String>> {
        let object = self.object(key, "map[string]string")?;
        let mut map = BTreeMap::new();
        for entry in object {
            match &entry.value.kind {
                ValueKind::Text(text) => {
                    map.insert(entry.key.clone(), text.clone());
                }
                _ => {
                    self.wrong_sort::<()>(key, &entry.value, "a text in double quotes", "string");
                }
            }
        }
        Some(map)
    }

    /// A map whose values are lists of texts; a lone text counts as a list of one.
    pub(crate) fn texts_map(&mut self, key: &'static str) -> Option<BTreeMap<String, Vec<String>>> {
        let object = self.object(key, "map[string][]string")?;
        let mut map = BTreeMap::new();
        for entry in object {
            if let Some(texts) = self.texts_of(key, &entry.value) {
                map.insert(entry.key.clone(), texts);
            }
        }
        Some(map)
    }

    /// A map whose values are blocks.
    pub(crate) fn block_map<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'a, '_>) -> T,
    ) -> Option<BTreeMap<String, T>> {
        let object = self.object(key, "map")?;
        let mut map = BTreeMap::new();
        for entry in object {
            match entry.value.as_object() {
                Some(inner) => {
                    let path = format!("{}.{}", self.path_of(key), entry.key);
                    map.insert(entry.key.clone(), self.nested(inner, path, &mut read));
                }
                None => {
                    self.wrong_sort::<()>(key, &entry.value, "a block", "object");
                }
            }
        }
        Some(map)
    }

    /// Anything below a key, as JSON.
    pub(crate) fn anything(
        &mut self,
        key: &'static str,
    ) -> Option<serde_json::Map<String, serde_json::Value>> {
        self.object(key, "map[string]interface {}")
            .map(Object::to_json)
    }

    /// One block.
    pub(crate) fn block<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut Reader<'a, '_>) -> T,
    ) -> Option<T> {
        let object = self.object(key, "object")?;
        let path = self.path_of(key);
        Some(self.nested(object, path, read))
    }

    /// Blocks: a list of them, a repeated one, or a single one.
    pub(crate) fn blocks<T>(
        &mut self,
        key: &'static str,
        mut read: impl FnMut(&mut Reader<'a, '_>) -> T,
    ) -> Vec<T> {
        let Some(value) = self.find(key) else {
            return Vec::new();
        };
        let single = std::slice::from_ref(value);
        let items: &'a [Value] = match &value.kind {
            ValueKind::List(items) => items,
            _ => single,
        };
        let several = items.len() > 1;
        let mut read_items = Vec::new();
        for (index, item) in items.iter().enumerate() {
            if self.problems.is_full() {
                break;
            }
            let Some(object) = item.as_object() else {
                self.wrong_sort::<()>(key, item, "a block", "object");
                continue;
            };
            let mut path = self.path_of(key);
            if several {
                path = format!("{path}[{index}]");
            }
            read_items.push(self.nested(object, path, &mut read));
        }
        read_items
    }

    /// The object below a key, unread.
    pub(crate) fn object(
        &mut self,
        key: &'static str,
        go_type: &'static str,
    ) -> Option<&'a Object> {
        let value = self.find(key)?;
        match &value.kind {
            ValueKind::Object(object) => Some(object),
            ValueKind::List(items) if items.iter().all(|item| item.as_object().is_some()) => {
                let found = format!("{} blocks", items.len());
                self.sort_problem(key, value, found, "one", go_type);
                None
            }
            _ => self.wrong_sort(key, value, "a block", go_type),
        }
    }

    /// Keys that are known and that nothing acts on: one note each.
    pub(crate) fn ignored(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Some(position) = self.find_entry(key).map(|entry| entry.position) {
                self.problem(key, position, ProblemKind::Ignored);
            }
        }
    }

    /// Ports of listeners that this version does not have: fine when off, else a note.
    pub(crate) fn ignored_ports(&mut self, keys: &[&'static str]) {
        for key in keys {
            if let Some(Some(_)) = self.listener_port(key) {
                self.ignored(&[key]);
            }
        }
    }

    /// Takes another spelling of a key for known, read or not.
    pub(crate) fn also_known(&mut self, key: &'static str) {
        self.known.push(key);
    }

    /// Where the value of a key stands, if the key is there.
    pub(crate) fn position(&self, key: &str) -> Option<Position> {
        self.last_entry(key).map(|entry| entry.value.position)
    }

    /// Notes that the value of a key is not allowed.
    pub(crate) fn refuse(&mut self, key: &'static str, reason: String) {
        let position = self.position(key).unwrap_or(Position::START);
        self.problem(key, position, ProblemKind::Refused(reason));
    }

    /// Notes that something below a key is not allowed.
    pub(crate) fn refuse_at(&mut self, key: &'static str, position: Position, reason: String) {
        self.problem(key, position, ProblemKind::Refused(reason));
    }

    /// Notes something that is worth a warning.
    pub(crate) fn remark(&mut self, key: &'static str, position: Position, text: String) {
        self.problem(key, position, ProblemKind::Remark(text));
    }

    /// Notes every key that was never asked for.
    fn finish(&mut self) {
        for entry in self.object {
            if self.problems.is_full() {
                return;
            }
            if self.known.iter().any(|known| same_key(known, &entry.key)) {
                continue;
            }
            let shown: String = entry.key.chars().take(64).collect();
            let suggestion = suggestion::nearest(&entry.key, &self.known);
            let kind = ProblemKind::UnknownKey {
                key: shown.clone(),
                suggestion,
            };
            self.problem(&shown, entry.position, kind);
        }
    }

    /// Reads this object to its end.
    pub(crate) fn read<T>(mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let result = read(&mut self);
        self.finish();
        result
    }

    fn nested<T>(
        &mut self,
        object: &'a Object,
        path: String,
        read: impl FnOnce(&mut Reader<'a, '_>) -> T,
    ) -> T {
        let mut reader = Reader {
            object,
            path,
            known: Vec::new(),
            problems: self.problems,
        };
        let result = read(&mut reader);
        reader.finish();
        result
    }

    fn find(&mut self, key: &'static str) -> Option<&'a Value> {
        self.find_entry(key).map(|entry| &entry.value)
    }

    /// JSON's `null` counts as absent, as it does in Go.
    fn find_entry(&mut self, key: &'static str) -> Option<&'a Entry> {
        self.known.push(key);
        self.last_entry(key)
            .filter(|entry| entry.value.kind != ValueKind::Null)
    }

    fn last_entry(&self, key: &str) -> Option<&'a Entry> {
        self.object
            .iter()
            .rev()
            .find(|entry| same_key(key, &entry.key))
    }

    fn texts_of(&mut self, key: &'static str, value: &Value) -> Option<Vec<String>> {
        const EXPECTED: &str = "a list of texts";
        match &value.kind {
            ValueKind::List(items) => {
                let mut texts = Vec::with_capacity(items.len());
                for item in items {
                    match item.as_text() {
                        Some(text) => texts.push(text.to_owned()),
                        None => {
                            self.wrong_sort::<()>(key, item, "a text in double quotes", "string");
                        }
                    }
                }
                Some(texts)
            }
            _ => self.wrong_sort(key, value, EXPECTED, "[]string"),
        }
    }

    fn wrong_sort<T>(
        &mut self,
        key: &str,
        value: &Value,
        expected: &'static str,
        go_type: &'static str,
    ) -> Option<T> {
        self.sort_problem(key, value, value.describe(), expected, go_type);
        None
    }

    fn sort_problem(
        &mut self,
        key: &str,
        value: &Value,
        found: String,
        expected: &'static str,
        go_type: &'static str,
    ) {
        let kind = ProblemKind::WrongSort {
            found,
            expected,
            json_sort: value.json_sort(),
            go_type,
        };
        self.problem(key, value.position, kind);
    }

    fn problem(&mut self, key: &str, position: Position, kind: ProblemKind) {
        let path = self.path_of(key);
        self.problems.push(Problem {
            position,
            path,
            kind,
        });
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// Whether two spellings are one key: case and underscores do not count.
pub(crate) fn same_key(left: &str, right: &str) -> bool {
    fn letters(text: &str) -> impl Iterator<Item = char> {
        text.chars()
            .filter(|character| *character != '_')
            .map(|character| character.to_ascii_lowercase())
    }
    letters(left).eq(letters(right))
}
