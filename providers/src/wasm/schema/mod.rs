//! A plugin's options, checked against what it says of them before it sees them.

use std::collections::BTreeMap;
use std::sync::Arc;

use chancery_core::{GoDuration, Printable, Secret};
use serde_json::Value;

use super::held_key::HeldKey;
use crate::options::same_name;
use crate::{OptionMap, OptionProblem};

/// One option that a plugin takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OptionSpec {
    /// Its name, in `snake_case`.
    pub(crate) name: String,
    /// What it looks like.
    pub(crate) kind: OptionKind,
    /// Whether it must be given.
    pub(crate) required: bool,
    /// What counts if it is not given, as it would be written in the configuration.
    pub(crate) default: Option<String>,
    /// What it means.
    pub(crate) about: String,
}

/// What an option may look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OptionKind {
    /// A length of time such as `72h`.
    Duration,
    /// A whole number.
    Number,
    /// A private key in PEM, which the plugin never sees.
    PrivateKey,
    /// Text that nobody may see.
    Secret,
    /// Text.
    Text,
    /// Several texts.
    Texts,
    /// `true` or `false`.
    Truth,
    /// An `http` or `https` URL without user information and fragment.
    Url,
}

impl OptionKind {
    /// It in a word or two, for tables.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Duration => "duration",
            Self::Number => "number",
            Self::PrivateKey => "private key",
            Self::Secret => "secret",
            Self::Text => "text",
            Self::Texts => "texts",
            Self::Truth => "truth",
            Self::Url => "url",
        }
    }
}

/// An option as the plugin gets it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum OptionValue {
    /// Milliseconds.
    Duration(u64),
    /// The name under which the held key is found.
    Key(String),
    Number(i64),
    Text(String),
    Texts(Vec<String>),
    Truth(bool),
}

/// Options that a plugin may be configured with.
#[derive(Debug, Default)]
pub(crate) struct CheckedOptions {
    /// Given options and defaults, in the order of the plugin's list.
    pub(crate) values: Vec<(String, OptionValue)>,
    /// Keys among them, each under its option's name.
    pub(crate) keys: BTreeMap<String, Arc<HeldKey>>,
}

/// Checks what stands in `config { … }` against the plugin's own list.
///
/// Everything that is wrong is reported, sorted by name; nothing that is said quotes a value of
/// a secret. A null counts as not given.
pub(crate) fn check(
    specs: &[OptionSpec],
    given: &OptionMap,
) -> Result<CheckedOptions, Vec<OptionProblem>> {
    let mut problems = unknown(specs, given);
    let mut checked = CheckedOptions::default();
    for spec in specs {
        match read(spec, given) {
            Ok(None) => {}
            Ok(Some(Read::Value(value))) => checked.values.push((spec.name.clone(), value)),
            Ok(Some(Read::Key(key))) => {
                let value = OptionValue::Key(spec.name.clone());
                checked.values.push((spec.name.clone(), value));
                checked.keys.insert(spec.name.clone(), Arc::new(key));
            }
            Err(text) => problems.push(OptionProblem::new(&spec.name, text)),
        }
    }
    if problems.is_empty() {
        return Ok(checked);
    }
    problems.sort_by(|one, other| one.option.cmp(&other.option));
    Err(problems)
}

/// What is wrong with a plugin's own list, so that an operator never has to wonder.
pub(crate) fn check_specs(specs: &[OptionSpec]) -> Result<(), String> {
    if specs.len() > MOST_OPTIONS {
        return Err(format!(
            "it lists {} options, allowed are {MOST_OPTIONS}",
            specs.len()
        ));
    }
    for (position, spec) in specs.iter().enumerate() {
        let shown = Printable::new(&spec.name);
        let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        let good = spec
            .name
            .starts_with(|first: char| first.is_ascii_lowercase())
            && spec.name.bytes().all(letters)
            && spec.name.len() <= LONGEST_NAME;
        if !good {
            return Err(format!(
                "it lists the option \"{shown}\": a name has up to {LONGEST_NAME} lower case \
                 letters, digits and underscores, the first a letter"
            ));
        }
        let rest = specs.iter().skip(position + 1);
        if rest.clone().any(|other| same_name(&spec.name, &other.name)) {
            return Err(format!("it lists the option \"{shown}\" twice"));
        }
        let Some(default) = &spec.default else {
            continue;
        };
        if matches!(spec.kind, OptionKind::PrivateKey | OptionKind::Secret) {
            return Err(format!(
                "its option \"{shown}\" is secret and has a default"
            ));
        }
        if let Err(text) = from_text(spec.kind, default) {
            return Err(format!("the default of its option \"{shown}\": {text}"));
        }
    }
    Ok(())
}

/// Given names that are in no list, with the nearest that is.
fn unknown(specs: &[OptionSpec], given: &OptionMap) -> Vec<OptionProblem> {
    let is_known = |key: &str| specs.iter().any(|spec| same_name(&spec.name, key));
    let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    let allowed = match names.as_slice() {
        [] => "the plugin takes none".to_owned(),
        names => format!("allowed are {}", names.join(", ")),
    };
    let problem = |key: &String| OptionProblem::new(key, format!("no such option, {allowed}"));
    given
        .keys()
        .filter(|key| !is_known(key))
        .map(problem)
        .collect()
}

enum Read {
    Key(HeldKey),
    Value(OptionValue),
}

/// Reads one option: the exact spelling counts before another.
fn read(spec: &OptionSpec, given: &OptionMap) -> Result<Option<Read>, String> {
    let mut spelled = given
        .iter()
        .filter(|(key, value)| same_name(&spec.name, key) && !value.is_null());
    let first = spelled.next();
    if spelled.next().is_some() {
        return Err("given twice, in two spellings".to_owned());
    }
    match (first, &spec.default) {
        (Some((_, value)), _) => from_json(spec, value).map(Some),
        (None, Some(default)) => {
            from_text(spec.kind, default).map(|value| Some(Read::Value(value)))
        }
        (None, None) if spec.required => Err("must be given".to_owned()),
        (None, None) => Ok(None),
    }
}

fn from_json(spec: &OptionSpec, given: &Value) -> Result<Read, String> {
    let value = match (spec.kind, given) {
        (OptionKind::PrivateKey, Value::String(pem)) => {
            let pem = Secret::new(pem.clone().into_bytes());
            return HeldKey::import(&spec.name, &pem)
                .map(Read::Key)
                .map_err(|error| error.to_string());
        }
        (OptionKind::Number, Value::Number(number)) => number.as_i64().map(OptionValue::Number),
        (OptionKind::Truth, Value::Bool(truth)) => Some(OptionValue::Truth(*truth)),
        (OptionKind::Texts, Value::Array(items)) => texts(items).map(OptionValue::Texts),
        (kind, Value::String(text)) => return from_text(kind, text).map(Read::Value),
        _ => None,
    };
    // Of a value that is no text only the sort is told: it could be a secret all the same.
    value.map(Read::Value).ok_or_else(|| {
        let (found, wanted) = (sort(given), wanted(spec.kind));
        format!("is {found}, must be {wanted}")
    })
}

/// Reads what stands in quotes. Numbers and truths may: environment variables are texts.
fn from_text(kind: OptionKind, text: &str) -> Result<OptionValue, String> {
    let value = match kind {
        OptionKind::PrivateKey | OptionKind::Secret | OptionKind::Text => {
            return within(text).map(|text| OptionValue::Text(text.to_owned()));
        }
        OptionKind::Texts => {
            return within(text).map(|text| OptionValue::Texts(vec![text.to_owned()]));
        }
        OptionKind::Number => text.parse().ok().map(OptionValue::Number),
        OptionKind::Truth => text.parse().ok().map(OptionValue::Truth),
        OptionKind::Duration => GoDuration::parse(text).ok().and_then(milliseconds),
        OptionKind::Url => is_url(text).then(|| OptionValue::Text(text.to_owned())),
    };
    value.ok_or_else(|| {
        let (shown, wanted) = (Printable::new(text), wanted(kind));
        if kind == OptionKind::Url && text.contains('@') {
            // A password could stand there.
            return format!("has something before an @, must be {wanted}");
        }
        format!("is \"{shown}\", must be {wanted}")
    })
}

fn texts(items: &[Value]) -> Option<Vec<String>> {
    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
    let texts: Option<Vec<String>> = texts.collect();
    texts.filter(|texts| {
        texts.len() <= MOST_TEXTS && texts.iter().all(|text| text.len() <= LONGEST_TEXT)
    })
}

fn within(text: &str) -> Result<&str, String> {
    if text.len() <= LONGEST_TEXT {
        return Ok(text);
    }
    Err(format!(
        "has {} bytes, allowed are {LONGEST_TEXT}",
        text.len()
    ))
}

fn milliseconds(length: GoDuration) -> Option<OptionValue> {
    let length = u64::try_from(length.as_nanos()).ok()?;
    Some(OptionValue::Duration(length / 1_000_000))
}

/// Whether this is an `http` or `https` URL with a host, and without user information, fragment,
/// spaces and control characters.
fn is_url(text: &str) -> bool {
    let Ok(url) = text.parse::<http::Uri>() else {
        return false;
    };
    let scheme = matches!(url.scheme_str(), Some("http" | "https"));
    let authority = url
        .authority()
        .is_some_and(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    scheme && authority && !text.contains('#') && text.len() <= LONGEST_URL
}

const fn wanted(kind: OptionKind) -> &'static str {
    match kind {
        OptionKind::Duration => "a length of time such as \"72h\", not negative",
        OptionKind::Number => "a whole number of at most 63 bits",
        OptionKind::PrivateKey => "a private key in PEM",
        OptionKind::Secret | OptionKind::Text => "a text",
        OptionKind::Texts => "a list of texts",
        OptionKind::Truth => "true or false",
        OptionKind::Url => "an http or https URL without user information and fragment",
    }
}

const fn sort(value: &Value) -> &'static str {
    match value {
        Value::Array(_) => "a list",
        Value::Bool(_) => "a truth value",
        Value::Null => "null",
        Value::Number(_) => "a number",
        Value::Object(_) => "a block",
        Value::String(_) => "a text",
    }
}

const MOST_OPTIONS: usize = 64;
const LONGEST_NAME: usize = 64;
const MOST_TEXTS: usize = 64;
/// A chain of certificates in PEM has room.
const LONGEST_TEXT: usize = 64 << 10;
const LONGEST_URL: usize = 2 << 10;

#[cfg(test)]
mod tests;
