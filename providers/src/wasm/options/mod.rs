//! The options of the provider `wasm` in `ca_config`: which plugin, what it is given, what it may.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chancery_core::{GoDuration, Printable};
use serde_json::Value;

use super::component::Sha256;
use super::egress::AllowList;
use super::limits::LARGEST_MEMORY;
use crate::options::{CONFIG, same_name};
use crate::registry::Surroundings;
use crate::{OptionMap, OptionProblem, ProviderError, SecretOptions};

/// The options, checked as far as that needs neither a file nor the plugin.
#[derive(Debug)]
pub(super) struct WasmOptions {
    source: Source,
    /// What the file must hash to.
    pub(super) sha256: Option<Sha256>,
    /// The plugin's own options.
    pub(super) config: OptionMap,
    /// Whom it may reach.
    pub(super) allow_http: AllowList,
    /// The CAs that its servers are checked against, instead of the system's.
    pub(super) http_ca_file: Option<PathBuf>,
    /// Bytes that an instance may use.
    pub(super) max_memory: usize,
    /// How long a call may take.
    pub(super) timeout: Duration,
    /// Bytes that it may remember.
    pub(super) max_state: usize,
}

/// Where the plugin is.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// In the folder of plugins, by name.
    Named(String),
    /// In this file.
    Path(PathBuf),
}

impl WasmOptions {
    /// Reads them; everything that is wrong is said at once.
    pub(super) fn parse(
        options: &OptionMap,
        secrets: &SecretOptions,
    ) -> Result<Self, ProviderError> {
        Self::read(options, secrets).map_err(|problems| {
            let texts: Vec<String> = problems
                .into_iter()
                .map(|problem| format!("{}: {}", problem.option, problem.text))
                .collect();
            ProviderError::misconfigured(texts.join("; "))
        })
    }

    fn read(options: &OptionMap, secrets: &SecretOptions) -> Result<Self, Vec<OptionProblem>> {
        let mut reader = Reader {
            options,
            problems: Vec::new(),
        };
        let source = reader.source();
        let sha256 = reader.sha256();
        let allow_http = reader.allow_http();
        let http_ca_file = reader.text("http_ca_file").map(PathBuf::from);
        let memory = LEAST_MEMORY..=LARGEST_MEMORY;
        let max_memory = reader.size("max_memory", MEMORY, memory);
        let max_state = reader.size("max_state", STATE, LEAST_STATE..=MOST_STATE);
        let timeout = reader.timeout();
        let config = reader.config(secrets);
        let problems = reader.problems;
        match source {
            Some(source) if problems.is_empty() => Ok(Self {
                source,
                sha256,
                config,
                allow_http,
                http_ca_file,
                max_memory,
                timeout,
                max_state,
            }),
            _ => Err(problems),
        }
    }

    /// The plugin's file.
    pub(super) fn locate(&self, surroundings: &Surroundings) -> Result<PathBuf, ProviderError> {
        match (&self.source, &surroundings.plugin_dir) {
            (Source::Path(path), _) => Ok(path.clone()),
            (Source::Named(name), Some(folder)) => Ok(folder.join(format!("{name}.wasm"))),
            (Source::Named(name), None) => Err(ProviderError::misconfigured(format!(
                "plugin: there is no folder in which \"{name}\" could be looked for: plugin_dir in \
                 the configuration file names it"
            ))),
        }
    }
}

struct Reader<'a> {
    options: &'a OptionMap,
    problems: Vec<OptionProblem>,
}

impl Reader<'_> {
    fn refuse<T>(&mut self, name: &str, text: impl Into<String>) -> Option<T> {
        self.problems.push(OptionProblem::new(name, text));
        None
    }

    /// The option in the exact spelling, else in another; null counts as absent.
    fn value(&self, name: &str) -> Option<&Value> {
        let exact = self.options.get(name);
        let spelled = || {
            let mut all = self.options.iter();
            all.find(|(key, _)| same_name(name, key)).map(|it| it.1)
        };
        exact.or_else(spelled).filter(|value| !value.is_null())
    }

    /// A text; an empty one counts as absent.
    fn text(&mut self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            _ => self.refuse(name, "must be a text"),
        }
    }

    fn source(&mut self) -> Option<Source> {
        let before = self.problems.len();
        match (self.text("path"), self.text("plugin")) {
            (Some(_), Some(_)) => {
                self.refuse("plugin", "says the same as path: one of them is enough")
            }
            (Some(path), None) => Some(Source::Path(path.into())),
            (None, Some(name)) if is_plugin_name(&name) => Some(Source::Named(name)),
            (None, Some(name)) => {
                let shown = Printable::new(&name);
                let text = format!(
                    "is \"{shown}\", must be the name of a file in plugin_dir without \".wasm\": \
                     letters, digits, hyphens, dots and underscores, the first a letter or digit"
                );
                self.refuse("plugin", text)
            }
            // What is there cannot be read, which has been said.
            (None, None) if self.problems.len() > before => None,
            (None, None) => self.refuse("path", "must be given, or plugin: which plugin is it?"),
        }
    }

    fn sha256(&mut self) -> Option<Sha256> {
        let text = self.text("sha256")?;
        match Sha256::parse(&text) {
            Some(hash) => Some(hash),
            None => {
                let shown = Printable::new(&text);
                self.refuse(
                    "sha256",
                    format!("is \"{shown}\", must be 64 hexadecimal digits"),
                )
            }
        }
    }

    fn allow_http(&mut self) -> AllowList {
        let Some(value) = self.value("allow_http") else {
            return AllowList::default();
        };
        let entries: Option<Vec<&str>> = match value {
            Value::String(text) => Some(vec![text]),
            Value::Array(items) => items.iter().map(Value::as_str).collect(),
            _ => None,
        };
        let list = match entries {
            Some(entries) => AllowList::parse(entries),
            None => Err(vec!["must be a list of \"host:port\"".to_owned()]),
        };
        list.unwrap_or_else(|problems| {
            for text in problems {
                self.problems.push(OptionProblem::new("allow_http", text));
            }
            AllowList::default()
        })
    }

    fn size(
        &mut self,
        name: &str,
        default: usize,
        allowed: std::ops::RangeInclusive<usize>,
    ) -> usize {
        let (size, shown) = match self.value(name) {
            None => return default,
            Some(Value::String(text)) => (size(text), format!("\"{}\"", Printable::new(text))),
            Some(Value::Number(number)) => {
                let bytes = number.as_u64().and_then(|it| usize::try_from(it).ok());
                (bytes, number.to_string())
            }
            Some(_) => (None, "no size".to_owned()),
        };
        if let Some(size) = size.filter(|size| allowed.contains(size)) {
            return size;
        }
        let (least, most) = (allowed.start() >> 10, allowed.end() >> 10);
        let text =
            format!("is {shown}, must be a size such as \"64MiB\" from {least}KiB to {most}KiB");
        self.refuse(name, text).unwrap_or(default)
    }

    fn timeout(&mut self) -> Duration {
        let Some(text) = self.text("timeout") else {
            return TIMEOUT;
        };
        let length = GoDuration::parse(&text).ok().and_then(GoDuration::to_std);
        if let Some(length) = length.filter(|it| (LEAST_TIMEOUT..=MOST_TIMEOUT).contains(it)) {
            return length;
        }
        let shown = Printable::new(&text);
        let text =
            format!("is \"{shown}\", must be a length of time such as \"5s\", from 10ms to 1m");
        self.refuse("timeout", text).unwrap_or(TIMEOUT)
    }

    /// The plugin's own options, all of which are kept secret: which are is known to it alone.
    fn config(&mut self, secrets: &SecretOptions) -> OptionMap {
        let Some(sealed) = secrets.find(CONFIG) else {
            return OptionMap::new();
        };
        match serde_json::from_slice(sealed.expose()) {
            Ok(Value::Object(config)) => config,
            _ => self
                .refuse("config", "must be a block, `config { … }`")
                .unwrap_or_default(),
        }
    }
}

/// Whether this names a file in a folder, and cannot lead out of it.
fn is_plugin_name(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let starts = name.starts_with(|first: char| first.is_ascii_alphanumeric());
    let names_a_file = Path::new(name).file_name().is_some();
    starts && names_a_file && name.bytes().all(letter) && name.len() <= LONGEST_NAME
}

/// Reads a number of bytes, or of `KiB`, `MiB` or `GiB`.
fn size(text: &str) -> Option<usize> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30)];
    let (digits, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?, shift)))
        .unwrap_or((text, 0));
    let digits = digits.trim_end();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<usize>().ok()?.checked_mul(1 << shift)
}

const MEMORY: usize = 64 << 20;
const LEAST_MEMORY: usize = 1 << 20;
const STATE: usize = 64 << 10;
const LEAST_STATE: usize = 1 << 10;
/// It is sealed and stored with each change of the CA.
const MOST_STATE: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(5);
const LEAST_TIMEOUT: Duration = Duration::from_millis(10);
const MOST_TIMEOUT: Duration = Duration::from_secs(60);
const LONGEST_NAME: usize = 64;

#[cfg(test)]
mod tests;
