//! The rules of single settings: names, addresses, ports, spans.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use chancery_core::{Datacenter, NodeId, NodeName};

use super::DefaultIntentionPolicy;
use super::hcl::quoted;
use super::read::Reader;
use crate::telemetry::LogLevel;

/// An IP address. Consul's templates and interface names are not known here.
pub(super) fn address(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<IpAddr> {
    let text = reader.text(key)?;
    parse_address(reader, key, &text)
}

/// Where the HTTP API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HttpAddress {
    Ip(IpAddr),
    Socket(PathBuf),
}

/// IP addresses and `unix://path`, with blanks between them.
pub(super) fn http_addresses(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
) -> Option<Vec<HttpAddress>> {
    words(reader, key, |reader, word| {
        let Some(path) = word.strip_prefix("unix://") else {
            return parse_address(reader, key, word).map(HttpAddress::Ip);
        };
        if path.starts_with('/') {
            return Some(HttpAddress::Socket(path.into()));
        }
        let found = quoted(word);
        reader.refuse(
            key,
            format!("found {found}, expected a full path behind unix://"),
        );
        None
    })
}

/// IP addresses with blanks between them, as Consul's `client_addr` may have several.
pub(super) fn addresses(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<Vec<IpAddr>> {
    words(reader, key, |reader, word| parse_address(reader, key, word))
}

fn words<T>(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
    mut parse: impl FnMut(&mut Reader<'_, '_>, &str) -> Option<T>,
) -> Option<Vec<T>> {
    let text = reader.text(key)?;
    if text.contains("{{") {
        return parse(reader, &text).map(|address| vec![address]);
    }
    let mut addresses = Vec::new();
    for word in text.split_whitespace() {
        addresses.push(parse(reader, word)?);
    }
    if addresses.is_empty() {
        reader.refuse(
            key,
            "found no address, expected one such as \"127.0.0.1\"".to_owned(),
        );
        return None;
    }
    Some(addresses)
}

pub(super) fn count(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<u32> {
    at_least(reader, key, 1)
}

/// A number of which 0 means "any".
pub(super) fn count_or_none(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<u32> {
    at_least(reader, key, 0)
}

/// The HTTP library's buffer for a head is never smaller than 8 KiB.
pub(super) fn header_bytes(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<u32> {
    at_least(reader, key, 8192)
}

/// A datacenter; Consul folds upper case.
pub(super) fn datacenter(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<Datacenter> {
    let text = reader.text(key)?;
    match Datacenter::parse(&text.to_lowercase()) {
        Ok(datacenter) => Some(datacenter),
        Err(error) => {
            reader.refuse(key, error.to_string());
            None
        }
    }
}

/// Names under which browsers may reach the API besides `localhost` and addresses.
pub(super) fn hosts(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<Vec<String>> {
    let hosts = reader.texts(key)?;
    let good = |host: &String| {
        let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.');
        !host.is_empty() && host.len() <= 253 && host.chars().all(letters)
    };
    if let Some(bad) = hosts.iter().find(|host| !good(host)) {
        let found = quoted(bad);
        reader.refuse(
            key,
            format!("found {found}, allowed are host names without port"),
        );
        return None;
    }
    Some(
        hosts
            .into_iter()
            .map(|host| host.to_ascii_lowercase())
            .collect(),
    )
}

pub(super) fn intention_policy(
    reader: &mut Reader<'_, '_>,
    key: &'static str,
) -> Option<DefaultIntentionPolicy> {
    match reader.text(key)?.as_str() {
        "allow" => Some(DefaultIntentionPolicy::Allow),
        "deny" => Some(DefaultIntentionPolicy::Deny),
        other => {
            let found = quoted(other);
            reader.refuse(
                key,
                format!("found {found}, allowed are \"allow\" and \"deny\""),
            );
            None
        }
    }
}

pub(super) fn log_level(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<LogLevel> {
    let text = reader.text(key)?;
    let level = LogLevel::parse(&text);
    if level.is_none() {
        let found = quoted(&text);
        let reason = format!("found {found}, allowed are {}", LogLevel::NAMES.join(", "));
        reader.refuse(key, reason);
    }
    level
}

/// A UUID.
pub(super) fn node_id(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<NodeId> {
    let text = reader.text(key)?;
    match NodeId::parse(&text) {
        Ok(id) if !id.is_nil() => Some(id),
        _ => {
            let found = quoted(&text);
            let example = "9e451b2f-153e-0466-b8e8-2e5fe6e416bc";
            reader.refuse(
                key,
                format!("found {found}, expected a UUID such as \"{example}\""),
            );
            None
        }
    }
}

/// Consul's rules for metadata: 64 pairs, keys of 128 and values of 512 characters.
pub(super) fn node_meta(reader: &mut Reader<'_, '_>) -> BTreeMap<String, String> {
    const KEY: &str = "node_meta";
    let meta = reader.text_map(KEY).unwrap_or_default();
    if meta.len() > 64 {
        let count = meta.len();
        reader.refuse(KEY, format!("found {count} pairs, allowed are 64"));
    }
    for (name, value) in &meta {
        if let Some(reason) = meta_reason(name, value) {
            reader.refuse(KEY, format!("{} {reason}", quoted(name)));
        }
    }
    meta
}

/// A node's name; longer ones than 128 bytes are refused by Consul.
pub(super) fn node_name(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<NodeName> {
    let text = reader.text(key)?;
    match parse_node_name(&text) {
        Ok(name) => Some(name),
        Err(reason) => {
            reader.refuse(key, reason);
            None
        }
    }
}

/// The rule of [`node_name`], for the machine's own name too.
pub(super) fn parse_node_name(text: &str) -> Result<NodeName, String> {
    const MOST: usize = 128;
    if text.len() > MOST {
        let length = text.len();
        return Err(format!("name has {length} bytes, allowed are {MOST}"));
    }
    NodeName::parse(text).map_err(|error| error.to_string())
}

pub(super) fn path(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<PathBuf> {
    let text = reader.text(key)?;
    if text.is_empty() || text.contains('\0') {
        let found = quoted(&text);
        reader.refuse(key, format!("found {found}, expected a path"));
        return None;
    }
    Some(PathBuf::from(text))
}

pub(super) fn port(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<u16> {
    let port = reader.within(key, 1..=65535, "a port")?;
    u16::try_from(port).ok()
}

/// A span of at least a millisecond and at most a day.
pub(super) fn span(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<Duration> {
    const DAY: Duration = Duration::from_secs(24 * 3600);
    let duration = reader.duration(key)?;
    let span = duration
        .to_std()
        .filter(|span| (Duration::from_millis(1)..=DAY).contains(span));
    if span.is_none() {
        reader.refuse(key, format!("found {duration}, allowed is 1ms to 24h"));
    }
    span
}

fn at_least(reader: &mut Reader<'_, '_>, key: &'static str, least: i64) -> Option<u32> {
    let count = reader.within(key, least..=i64::from(i32::MAX), "a number")?;
    u32::try_from(count).ok()
}

fn parse_address(reader: &mut Reader<'_, '_>, key: &'static str, text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    let found = quoted(text);
    let expected = if text.contains("{{") {
        "an IP address; templates are not evaluated"
    } else if text.starts_with("unix://") {
        "an IP address; sockets in the file system go into addresses.http"
    } else {
        "an IP address"
    };
    reader.refuse(key, format!("found {found}, expected {expected}"));
    None
}

/// The permissions of a file, in octal as Consul has it.
pub(super) fn mode(reader: &mut Reader<'_, '_>, key: &'static str) -> Option<u32> {
    let text = reader.text(key)?;
    let is_octal = !text.is_empty() && text.bytes().all(|digit| matches!(digit, b'0'..=b'7'));
    let mode = u32::from_str_radix(&text, 8).ok();
    let mode = mode.filter(|mode| is_octal && *mode <= 0o777);
    if mode.is_none() {
        let found = quoted(&text);
        reader.refuse(
            key,
            format!("found {found}, expected octal digits such as \"0660\""),
        );
    }
    mode
}

fn meta_reason(name: &str, value: &str) -> Option<String> {
    let letters = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-');
    if name.is_empty() {
        Some("is an empty key".to_owned())
    } else if name.len() > 128 {
        Some(format!("has {} bytes, a key has at most 128", name.len()))
    } else if value.len() > 512 {
        let length = value.len();
        Some(format!("has a value of {length} bytes, allowed are 512"))
    } else if name.to_ascii_lowercase().starts_with("consul-") {
        Some("begins with \"consul-\", which is reserved".to_owned())
    } else if !name.chars().all(letters) {
        Some("has other characters than letters, digits, '_' and '-'".to_owned())
    } else {
        None
    }
}
