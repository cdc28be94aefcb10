//! Decoding with weak types, and with the texts of Go's `mapstructure`.

use chancery_core::GoDuration;
use serde_json::Value;

use super::{OptionMap, OptionProblem};

use crate::ProviderError;

/// Reads one option after another and gathers what is wrong.
pub(crate) struct Decoder<'a> {
    options: &'a OptionMap,
    problems: Vec<OptionProblem>,
}

impl<'a> Decoder<'a> {
    pub(crate) const fn new(options: &'a OptionMap) -> Self {
        Self {
            options,
            problems: Vec::new(),
        }
    }

    /// All problems as one error, sorted as Go sorts them.
    pub(crate) fn finish(self) -> Result<(), ProviderError> {
        let problems = self.problems();
        if problems.is_empty() {
            return Ok(());
        }
        let points: Vec<String> = problems
            .iter()
            .map(|problem| format!("* {}", problem.text))
            .collect();
        Err(ProviderError::misconfigured(format!(
            "error decoding config: {} error(s) decoding:\n\n{}",
            points.len(),
            points.join("\n")
        )))
    }

    /// All problems, sorted as Go sorts them.
    pub(super) fn problems(mut self) -> Vec<OptionProblem> {
        self.problems
            .sort_by(|one, other| one.text.cmp(&other.text));
        self.problems
    }

    pub(super) fn duration(&mut self, name: &str, default: GoDuration) -> GoDuration {
        match self.value(name) {
            None => default,
            Some(Value::String(text)) => match GoDuration::parse(text) {
                Ok(length) => length,
                Err(error) => {
                    self.problem(name, format!("error decoding '{name}': {error}"), default)
                }
            },
            Some(value) => match weak_int(value) {
                Some(nanos) => GoDuration::from_nanos(nanos),
                None => self.wrong_type(name, "time.Duration", value, default),
            },
        }
    }

    pub(crate) fn int(&mut self, name: &str, default: i64) -> i64 {
        match self.value(name) {
            None => default,
            Some(Value::String(text)) => match parse_int(text) {
                Some(number) => number,
                None => self.cannot_parse(name, "int", "strconv.ParseInt", text, default),
            },
            Some(value) => match weak_int(value) {
                Some(number) => number,
                None => self.wrong_type(name, "int", value, default),
            },
        }
    }

    pub(super) fn float(&mut self, name: &str, default: f32) -> f32 {
        match self.value(name) {
            None => default,
            Some(Value::String(text)) => match text.parse::<f32>() {
                Ok(number) if number.is_finite() => number,
                _ => self.cannot_parse(name, "float", "strconv.ParseFloat", text, default),
            },
            Some(Value::Bool(yes)) => f32::from(u8::from(*yes)),
            Some(value) => match value.as_f64() {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "Consul holds this option in 32 bits as well"
                )]
                Some(number) => number as f32,
                None => self.wrong_type(name, "float32", value, default),
            },
        }
    }

    pub(crate) fn bool(&mut self, name: &str, default: bool) -> bool {
        match self.value(name) {
            None => default,
            Some(Value::Bool(yes)) => *yes,
            Some(Value::String(text)) => match text.as_str() {
                "1" | "t" | "T" | "TRUE" | "true" | "True" => true,
                "" | "0" | "f" | "F" | "FALSE" | "false" | "False" => false,
                _ => self.cannot_parse(name, "bool", "strconv.ParseBool", text, default),
            },
            Some(value) => match value.as_f64() {
                Some(number) => number != 0.0,
                None => self.wrong_type(name, "bool", value, default),
            },
        }
    }

    pub(crate) fn text(&mut self, name: &str, default: &str) -> String {
        match self.value(name) {
            None => default.to_owned(),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Bool(yes)) => u8::from(*yes).to_string(),
            Some(Value::Number(number)) => number.to_string(),
            Some(value) => self.wrong_type(name, "string", value, default.to_owned()),
        }
    }

    /// Refuses anything but a text, of which nothing is kept: for secrets.
    pub(crate) fn only_text(&mut self, name: &str) {
        match self.value(name) {
            None | Some(Value::String(_)) => {}
            Some(value) => self.wrong_type(name, "string", value, ()),
        }
    }

    /// The option in the exact spelling, else in another; null counts as absent.
    fn value(&self, name: &str) -> Option<&'a Value> {
        self.options
            .get(name)
            .or_else(|| {
                self.options
                    .iter()
                    .find(|(key, _)| same_name(name, key))
                    .map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
    }

    fn problem<T>(&mut self, name: &str, text: String, default: T) -> T {
        self.problems.push(OptionProblem::new(name, text));
        default
    }

    fn cannot_parse<T>(
        &mut self,
        name: &str,
        kind: &str,
        function: &str,
        text: &str,
        default: T,
    ) -> T {
        let text = format!(
            "cannot parse '{name}' as {kind}: {function}: parsing {text:?}: invalid syntax"
        );
        self.problem(name, text, default)
    }

    fn wrong_type<T>(&mut self, name: &str, wanted: &str, value: &Value, default: T) -> T {
        let found = go_type(value);
        let text = format!("'{name}' expected type '{wanted}', got unconvertible type '{found}'");
        self.problem(name, text, default)
    }
}

/// Whether `key` is a spelling of the option `name`: letter case and underscores do not count.
#[must_use]
pub fn same_name(name: &str, key: &str) -> bool {
    let letters = |byte: &u8| *byte != b'_';
    let (name, key) = (name.bytes().filter(letters), key.bytes().filter(letters));
    name.map(|byte| byte.to_ascii_lowercase())
        .eq(key.map(|byte| byte.to_ascii_lowercase()))
}

/// A number or a truth value as a whole number, cut towards zero as Go does.
fn weak_int(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(yes) => Some(i64::from(*yes)),
        Value::Number(number) => number.as_i64().or_else(|| {
            #[expect(
                clippy::cast_possible_truncation,
                reason = "a float outside the range saturates, which every rule then refuses"
            )]
            number.as_f64().map(|float| float as i64)
        }),
        _ => None,
    }
}

/// Go's `strconv.ParseInt` with base 0: a prefix chooses the base.
fn parse_int(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let lower = digits.to_ascii_lowercase();
    let (radix, digits) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    i64::from_str_radix(digits, radix)
        .ok()
        .map(|number| number.saturating_mul(sign))
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "[]interface {}",
        Value::Bool(_) => "bool",
        Value::Null => "<nil>",
        Value::Number(_) => "float64",
        Value::Object(_) => "map[string]interface {}",
        Value::String(_) => "string",
    }
}
