//! Logging: Consul's level names, one line an event, nothing unprintable from strangers.
//!
//! Everything that reaches a line is escaped and cut at 1 KiB a value, whoever logged it: names
//! in certificates, headers and plugin messages are a stranger's, and one forgotten call must
//! not let them write lines or move the cursor of a terminal.

use std::fmt::{self, Write as _};
use std::io;
use std::time::{SystemTime, UNIX_EPOCH};

use chancery_core::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_enums, reason = "Consul's five levels")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What helps while something is looked for.
    Debug,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What may become trouble.
    Warn,
    /// What is trouble.
    Error,
}

impl LogLevel {
    /// The names that are accepted, as Consul lists them.
    pub const NAMES: [&'static str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERR", "ERROR"];

    /// The level with one of [`NAMES`](Self::NAMES), in any case.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text.to_ascii_uppercase().as_str() {
            "TRACE" => Self::Trace,
            "DEBUG" => Self::Debug,
            "INFO" => Self::Info,
            "WARN" => Self::Warn,
            "ERR" | "ERROR" => Self::Error,
            _ => return None,
        })
    }

    const fn filter(self) -> LevelFilter {
        match self {
            Self::Trace => LevelFilter::TRACE,
            Self::Debug => LevelFilter::DEBUG,
            Self::Info => LevelFilter::INFO,
            Self::Warn => LevelFilter::WARN,
            Self::Error => LevelFilter::ERROR,
        }
    }
}

/// Starts logging for the whole process. A second call changes nothing.
///
/// Libraries are heard from warnings on, unless everything is asked for.
pub fn start<W>(level: LogLevel, json: bool, writer: W)
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let libraries = if level == LogLevel::Trace {
        LevelFilter::TRACE
    } else {
        level.filter().min(LevelFilter::WARN)
    };
    let ours = ["chancery", "chancery_core", "chancery_providers"];
    let targets = Targets::new()
        .with_default(libraries)
        .with_targets(ours.map(|target| (target, level.filter())));
    let lines = tracing_subscriber::fmt::layer()
        .event_format(Lines { json })
        .with_writer(writer);
    // Fails only if logging has been started before, and then that stays.
    let _ = tracing_subscriber::registry()
        .with(targets)
        .with(lines)
        .try_init();
}

/// Starts logging to standard output, where Consul's agents log.
pub fn start_on_stdout(level: LogLevel, json: bool) {
    start(level, json, io::stdout);
}

/// Escapes what a stranger wrote and cuts it at 1 KiB, for a place that is no log line.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut line = Capped::new(Escape::Line);
    let _ = line.write_str(text);
    line.finish()
}

/// Escapes what a stranger wrote without cutting it, for a terminal.
pub(crate) fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        push_escaped(&mut shown, character);
    }
    shown
}

/// One event a line, as text or as JSON.
struct Lines {
    json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(
        &self,
        _context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::new(self.json);
        event.record(&mut fields);
        let time = Milliseconds(now());
        let module = module(event.metadata().target());
        let level = *event.metadata().level();
        if self.json {
            let line = fields.into_json(&time, level, &module);
            return writeln!(writer, "{line}");
        }
        write!(writer, "    {time} {} ", level_in_brackets(level))?;
        if !module.is_empty() {
            write!(writer, "{module}: ")?;
        }
        write!(writer, "{}", fields.message)?;
        for (name, value) in &fields.others {
            write!(writer, " {name}={value}")?;
        }
        writeln!(writer)
    }
}

/// What an event says.
struct Fields {
    json: bool,
    message: String,
    others: Vec<(&'static str, String)>,
}

impl Fields {
    const fn new(json: bool) -> Self {
        Self {
            json,
            message: String::new(),
            others: Vec::new(),
        }
    }

    fn note(&mut self, field: &Field, value: fmt::Arguments<'_>) {
        let message = field.name() == "message";
        let escape = match (self.json, message) {
            // The JSON encoder escapes what the line must not carry.
            (true, _) => Escape::Nothing,
            (false, true) => Escape::Line,
            (false, false) => Escape::Value,
        };
        let mut text = Capped::new(escape);
        let _ = text.write_fmt(value);
        if message {
            self.message = text.finish();
        } else {
            self.others.push((field.name(), text.finish()));
        }
    }

    fn into_json(self, time: &Milliseconds, level: Level, module: &str) -> serde_json::Value {
        let mut line = serde_json::Map::new();
        line.insert("@level".to_owned(), level.as_str().to_lowercase().into());
        line.insert("@message".to_owned(), self.message.into());
        line.insert("@module".to_owned(), module.into());
        line.insert("@timestamp".to_owned(), time.to_string().into());
        for (name, value) in self.others {
            line.insert(name.to_owned(), value.into());
        }
        line.into()
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.note(field, format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.note(field, format_args!("{value:?}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.note(field, format_args!("{value}"));
    }
}

/// How a value is made harmless.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Control characters only.
    Line,
    /// Nothing: an encoder follows.
    Nothing,
    /// As a line, and in quotes if it has blanks or quotes.
    Value,
}

/// A text that takes in at most [`MOST`] bytes and drops the rest without keeping it.
struct Capped {
    text: String,
    escape: Escape,
    cut: bool,
}

impl Capped {
    const fn new(escape: Escape) -> Self {
        Self {
            text: String::new(),
            escape,
            cut: false,
        }
    }

    fn finish(mut self) -> String {
        let quote = self.escape == Escape::Value
            && (self.text.is_empty() || self.text.contains([' ', '"', '=']));
        if self.cut {
            self.text.push('…');
        }
        if quote {
            let inner = self.text.replace('"', "\\\"");
            return format!("\"{inner}\"");
        }
        self.text
    }

    fn push(&mut self, character: char) {
        let before = self.text.len();
        if self.escape == Escape::Nothing {
            self.text.push(character);
        } else {
            push_escaped(&mut self.text, character);
        }
        if self.text.len() > MOST {
            self.text.truncate(before);
            self.cut = true;
        }
    }
}

impl fmt::Write for Capped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.cut {
                break;
            }
            self.push(character);
        }
        Ok(())
    }
}

fn push_escaped(text: &mut String, character: char) {
    if is_harmless(character) {
        text.push(character);
    } else {
        text.extend(character.escape_debug());
    }
}

/// Quotes and combining marks stay; control, direction and invisible characters do not.
fn is_harmless(character: char) -> bool {
    matches!(character, ' '..='~')
        || (!character.is_control() && character.escape_debug().count() == 1)
}

/// A moment with three decimals, as Consul's logs have it.
struct Milliseconds(Timestamp);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day, hour, minute, second) = self.0.civil();
        let nanos = self.0.unix_nanos().rem_euclid(1_000_000_000);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z",
            nanos / 1_000_000
        )
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_unix_nanos(i128::try_from(since.as_nanos()).unwrap_or_default())
}

/// `chancery::proxy::public` is `proxy.public`; a library keeps its own name.
fn module(target: &str) -> String {
    match target.split_once("::") {
        Some(("chancery" | "chancery_core" | "chancery_providers", inner)) => {
            inner.replace("::", ".")
        }
        _ if target == "chancery" => String::new(),
        _ => target.replace("::", "."),
    }
}

fn level_in_brackets(level: Level) -> &'static str {
    match level {
        Level::TRACE => "[TRACE]",
        Level::DEBUG => "[DEBUG]",
        Level::INFO => "[INFO] ",
        Level::WARN => "[WARN] ",
        Level::ERROR => "[ERROR]",
    }
}

/// The longest value of one field, in bytes after escaping.
const MOST: usize = 1024;

#[cfg(test)]
mod tests;
