//! Reading a plugin's file and making it runnable.

use std::collections::VecDeque;
use std::fs::OpenOptions;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime::component::Component;

use super::cache::Cache;
use super::interface::{Interface, Mismatch};
use super::pin::Sha256;
use crate::wasm::engine;
use crate::wasm::v1::Prepared;
use crate::{ErrorKind, ProviderError};

/// The largest file that is taken for a plugin: CPython with a library or two has 20 MB.
pub(crate) const LARGEST: u64 = 32 << 20;

/// A plugin that can be instantiated.
pub(crate) struct Loaded {
    pub(crate) prepared: Prepared,
    pub(crate) interface: Interface,
    pub(crate) sha256: Sha256,
    pub(crate) size: u64,
    /// Whether it was compiled before.
    pub(crate) from_cache: bool,
}

/// Why a file cannot be a plugin. `Display` follows the file's name and a colon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadFailure {
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("it has more than {LARGEST} bytes, the most that a plugin may have")]
    TooLarge,
    #[error("it is empty")]
    Empty,
    #[error("it is no WebAssembly file: it begins with {found}")]
    NotWasm { found: String },
    #[error(
        "it is a WebAssembly module, a plugin is a component: build it for wasm32-wasip2, or make \
         one of it"
    )]
    CoreModule,
    #[error("its SHA-256 is {found}, the configuration pins {pinned}")]
    OtherHash { found: Sha256, pinned: Sha256 },
    #[error("it ends too early: it was not copied or downloaded whole")]
    Truncated,
    #[error("it is damaged, or uses what is not supported here: {0}")]
    Invalid(String),
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    #[error("it does not fit chancery:ca {}: {reason}", Interface::VERSION)]
    OtherTypes { reason: String },
    #[error(transparent)]
    Engine(ProviderError),
}

impl LoadFailure {
    /// As an error about the file at `path`.
    pub(crate) fn at(self, path: &Path) -> ProviderError {
        match self {
            Self::Engine(error) => error,
            failure => ProviderError::new(
                ErrorKind::Misconfigured,
                format!("plugin {}: {failure}", path.display()),
            ),
        }
    }
}

/// Reads a plugin's file, and no more of it than a plugin may have.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, LoadFailure> {
    // A pipe is looked at like a file and not waited for.
    let at_once = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(at_once)
        .open(path)
        .map_err(LoadFailure::Unreadable)?;
    let found = file.metadata().map_err(LoadFailure::Unreadable)?;
    if !found.is_file() {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file");
        return Err(LoadFailure::Unreadable(error));
    }
    let mut bytes = Vec::new();
    let mut file = file.take(LARGEST + 1);
    file.read_to_end(&mut bytes)
        .map_err(LoadFailure::Unreadable)?;
    Ok(bytes)
}

/// Makes a plugin of its bytes. Compiling takes from 0.2 s for Rust to 10 s for Python, on the
/// calling thread and no other.
pub(crate) fn load(
    bytes: &[u8],
    pin: Option<Sha256>,
    cache: Option<&Path>,
) -> Result<Arc<Loaded>, LoadFailure> {
    if bytes.len() as u64 > LARGEST {
        return Err(LoadFailure::TooLarge);
    }
    let sha256 = Sha256::of(bytes);
    if let Some(pinned) = pin
        && pinned != sha256
    {
        let found = sha256;
        return Err(LoadFailure::OtherHash { found, pinned });
    }
    if let Some(loaded) = recent(|recent| recent.iter().find(|it| it.sha256 == sha256).cloned()) {
        return Ok(loaded);
    }
    check_kind(bytes)?;
    let shared = engine::shared().map_err(LoadFailure::Engine)?;
    let cache = cache.map(|directory| Cache::new(directory, &shared.engine));
    let cached = cache.as_ref().and_then(|cache| cache.find(sha256));
    let from_cache = cached.is_some();
    let component = match cached {
        Some(component) => component,
        None => Component::from_binary(&shared.engine, bytes).map_err(|error| invalid(&error))?,
    };
    let interface = Interface::of(&component, &shared.engine);
    interface.check()?;
    let prepared = Prepared::new(&component).map_err(|error| LoadFailure::OtherTypes {
        reason: one_line(&error),
    })?;
    if let Some(cache) = cache.filter(|_| !from_cache) {
        cache.keep(sha256, &component);
    }
    let loaded = Arc::new(Loaded {
        prepared,
        interface,
        sha256,
        size: bytes.len() as u64,
        from_cache,
    });
    recent(|recent| {
        recent.push_front(Arc::clone(&loaded));
        recent.truncate(RECENT);
    });
    Ok(loaded)
}

/// By the first eight bytes: magic, version and layer.
fn check_kind(bytes: &[u8]) -> Result<(), LoadFailure> {
    match bytes {
        [] => Err(LoadFailure::Empty),
        [b'\0', b'a', b's', b'm', _, _, 0, 0, ..] => Err(LoadFailure::CoreModule),
        [b'\0', b'a', b's', b'm', _, _, 1, 0, ..] => Ok(()),
        [b'\0', b'a', b's', b'm', ..] if bytes.len() < 8 => Err(LoadFailure::Truncated),
        _ => {
            let found = bytes.iter().take(4).copied();
            let found = found.flat_map(std::ascii::escape_default);
            let found = found.map(char::from).collect();
            Err(LoadFailure::NotWasm { found })
        }
    }
}

fn invalid(error: &wasmtime::Error) -> LoadFailure {
    let reason = one_line(error);
    let ends = [
        "unexpected end",
        "unexpected-eof",
        "is out of bounds (bound",
    ];
    if ends.iter().any(|end| reason.contains(end)) {
        return LoadFailure::Truncated;
    }
    LoadFailure::Invalid(reason)
}

/// All causes of an error, on one line that is not too long.
pub(crate) fn one_line(error: &wasmtime::Error) -> String {
    let text = format!("{error:#}");
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars()
        .take(512)
        .flat_map(char::escape_default)
        .collect()
}

/// Plugins that were loaded last: one that is configured anew, or beside itself, is the same.
fn recent<T>(look: impl FnOnce(&mut VecDeque<Arc<Loaded>>) -> T) -> T {
    static RECENT: Mutex<VecDeque<Arc<Loaded>>> = Mutex::new(VecDeque::new());
    look(&mut RECENT.lock().unwrap_or_else(PoisonError::into_inner))
}

/// So many are remembered: the one that serves and the one that comes after it.
const RECENT: usize = 2;

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(bytes: &[u8]) -> String {
        load(bytes, None, None).err().unwrap().to_string()
    }

    #[test]
    fn what_is_no_component_is_refused_in_one_sentence() {
        let module = wat::parse_str("(module)").unwrap();
        assert!(refused(&module).starts_with("it is a WebAssembly module, "));
        assert_eq!(refused(b""), "it is empty");
        assert_eq!(
            refused(b"\0as"),
            r"it is no WebAssembly file: it begins with \x00as"
        );
        assert_eq!(
            refused(b"\x7fELF and more"),
            r"it is no WebAssembly file: it begins with \x7fELF"
        );
    }

    #[test]
    fn a_component_cut_short_anywhere_is_refused() {
        let whole = wat::parse_str("(component (core module (func (export \"f\"))))").unwrap();
        for end in 4..whole.len() {
            let says = refused(&whole[..end]);
            let expected = [
                "it ends too early: it was not copied or downloaded whole",
                "it is no CA plugin: it exports nothing, a plugin exports chancery:ca/provider",
            ];
            assert!(expected.contains(&says.as_str()), "{end} bytes: {says}");
        }
    }

    #[test]
    fn one_byte_too_many_is_too_many() {
        let most = usize::try_from(LARGEST).unwrap();
        assert!(refused(&vec![1; most + 1]).starts_with("it has more than 33554432 bytes"));
        assert!(refused(&vec![1; most]).starts_with("it is no WebAssembly file"));
    }

    #[test]
    fn another_file_than_the_pinned_one_is_refused_with_both_hashes() {
        let pinned = Sha256::of(b"this");
        let says = load(b"that", Some(pinned), None).err().unwrap().to_string();
        let found = Sha256::of(b"that");
        assert_eq!(
            says,
            format!("its SHA-256 is {found}, the configuration pins {pinned}")
        );
    }

    #[test]
    fn an_import_that_no_plugin_gets_is_refused_by_name() {
        let wat = "(component (import \"acme:hsm/keys@1.0.0\" (instance)))";
        assert!(
            refused(&wat::parse_str(wat).unwrap()).starts_with("it imports acme:hsm/keys@1.0.0, ")
        );
    }
}
