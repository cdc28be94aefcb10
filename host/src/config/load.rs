//! Reading sources: files, folders, flags.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::hcl::{self, MAX_BYTES, Object, Position, Value, ValueKind};
use super::layer::{Layer, Source};
use super::report::{Origin, Remark, Report};
use super::{Config, resolve};
use crate::definition::ServiceDefinition;

/// Where a configuration comes from.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sources {
    /// Start from the defaults of dev mode.
    pub dev: bool,
    /// Let strangers reach the API of an agent in dev mode.
    pub allow_remote: bool,
    /// Files and folders in the order given.
    pub paths: Vec<PathBuf>,
    /// How files are to be read whose names do not say it.
    pub format: Option<FileFormat>,
    /// Flags: how a person writes it, the key that it sets (`ports.http`), the value.
    pub flags: Vec<(&'static str, &'static str, FlagValue)>,
    /// The machine's name, which is the node's name if nobody says another.
    pub hostname: String,
}

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "the two that Consul has")]
pub enum FileFormat {
    /// HCL 1.
    Hcl,
    /// JSON.
    Json,
}

/// The value of a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FlagValue {
    /// Given or not, true or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A text.
    Text(String),
}

impl Config {
    /// Reads all sources.
    ///
    /// The remarks beside the configuration are warnings, to be said once.
    ///
    /// # Errors
    /// The report of everything that is wrong.
    pub fn load(sources: &Sources) -> Result<(Self, Vec<Remark>), Report> {
        let mut report = Report::default();
        let mut layers = Layer::default();
        for path in &sources.paths {
            for layer in read_path(path, sources.format, &mut report) {
                layers.overlay(layer);
            }
        }
        for (flag, key, value) in &sources.flags {
            let object = flag_object(key, value);
            layers.overlay(Layer::read(&object, &Source::Flag(flag), &mut report));
        }
        resolve::resolve(layers, sources, report)
    }
}

/// The services of files, for the commands that register them; everything else is checked too.
///
/// # Errors
/// The report of everything that is wrong.
pub fn services_in(paths: &[PathBuf]) -> Result<Vec<ServiceDefinition>, Report> {
    let mut report = Report::default();
    let mut services = Vec::new();
    for path in paths {
        for layer in read_path(path, None, &mut report) {
            services.extend(layer.services.into_iter().map(|setting| setting.value));
        }
    }
    if report.is_good() {
        Ok(services)
    } else {
        Err(report)
    }
}

/// The layers of a file, or of the `.hcl` and `.json` files directly in a folder.
fn read_path(path: &Path, format: Option<FileFormat>, report: &mut Report) -> Vec<Layer> {
    if !path.is_dir() {
        return read_file(path, format, report).into_iter().collect();
    }
    let listed = fs::read_dir(path).and_then(|entries| {
        entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<Vec<_>, _>>()
    });
    let mut files = match listed {
        Ok(files) => files,
        Err(error) => {
            let text = format!("cannot list the folder: {error}");
            report.unread(whole_file(path), text);
            return Vec::new();
        }
    };
    files.retain(|file| extension_format(file).is_some() && !file.is_dir());
    files.sort();
    files
        .iter()
        .filter_map(|file| read_file(file, format, report))
        .collect()
}

fn read_file(path: &Path, format: Option<FileFormat>, report: &mut Report) -> Option<Layer> {
    let Some(format) = extension_format(path).or(format) else {
        let text = "the name ends neither in .hcl nor in .json, and -config-format is not given";
        report.unread(whole_file(path), text);
        return None;
    };
    let bytes = match read_bounded(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let text = format!("cannot read the file: {error}");
            report.unread(whole_file(path), text);
            return None;
        }
    };
    if bytes.len() > MAX_BYTES {
        let text = format!("the file is longer than {MAX_BYTES} bytes");
        report.unread(whole_file(path), text);
        return None;
    }
    let name: Arc<str> = path.to_string_lossy().into();
    let source = Source::File(name);
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let good = error.utf8_error().valid_up_to();
            let position = position_after(error.as_bytes(), good);
            report.unread(source.at(position), "found bytes that are no UTF-8");
            return None;
        }
    };
    if format == FileFormat::Json && !text.trim_start().starts_with(['{', '\u{feff}']) {
        let text = "found no '{' at the beginning, expected a JSON object";
        report.unread(source.at(Position::START), text);
        return None;
    }
    match hcl::parse(&text) {
        Ok(object) => Some(Layer::read(&object, &source, report)),
        Err(error) => {
            report.unread(source.at(error.position()), error.reason());
            None
        }
    }
}

/// Reads at most one byte more than a configuration may have, so that a device or a huge file
/// fills no memory.
fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(MAX_BYTES).unwrap_or(u64::MAX);
    fs::File::open(path)?
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn extension_format(path: &Path) -> Option<FileFormat> {
    match path.extension()?.to_str()? {
        "hcl" => Some(FileFormat::Hcl),
        "json" => Some(FileFormat::Json),
        _ => None,
    }
}

fn whole_file(path: &Path) -> Origin {
    Origin::File {
        path: path.to_string_lossy().into(),
        position: None,
    }
}

fn position_after(bytes: &[u8], good: usize) -> Position {
    let text = String::from_utf8_lossy(bytes.get(..good).unwrap_or_default());
    text.chars().fold(Position::START, Position::after)
}

/// `ports.http` and 8501 become `{ ports { http = 8501 } }`.
fn flag_object(key: &str, value: &FlagValue) -> Object {
    let kind = match value {
        FlagValue::Boolean(boolean) => ValueKind::Boolean(*boolean),
        FlagValue::Integer(integer) => ValueKind::Integer(*integer),
        FlagValue::Text(text) => ValueKind::Text(text.clone()),
    };
    let value = Value::new(kind, Position::START);
    match key.split_once('.') {
        None => Object::single(key, value),
        Some((block, key)) => {
            let inner = ValueKind::Object(Object::single(key, value));
            Object::single(block, Value::new(inner, Position::START))
        }
    }
}
