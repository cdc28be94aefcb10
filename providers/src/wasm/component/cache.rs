//! Compiled plugins on disk, so that a restart need not compile them again.
//!
//! **Threat.** Who can put code here runs code as this agent. So the directory must belong to the
//! user of this process and be closed to everybody else (0700), and so must each file (0600, no
//! link): both are looked at before every use. Whoever can write there all the same is that user,
//! or root, and needs no plugin to do harm; a key to authenticate the files with could only lie
//! beside them. What remains is damage (a torn write, a bad disk), and for that the hash of each
//! file is recorded beside it and compared before the file is mapped.
//!
//! A file's name is the plugin's SHA-256 and a hash of what the engine's settings and version
//! mean for compiled code, so that nothing of another version is ever taken. Anything amiss is
//! logged, and the plugin compiled anew.

use std::fs::{self, File, OpenOptions};
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use wasmtime::Engine;
use wasmtime::component::Component;

use super::pin::Sha256;
use super::precompiled;

/// A directory of compiled plugins.
pub(super) struct Cache<'a> {
    directory: &'a Path,
    engine: &'a Engine,
}

impl<'a> Cache<'a> {
    pub(super) const fn new(directory: &'a Path, engine: &'a Engine) -> Self {
        Self { directory, engine }
    }

    /// The compiled form of the plugin with this hash, if there is a sound one.
    pub(super) fn find(&self, plugin: Sha256) -> Option<Component> {
        let path = self.path(plugin);
        match self.verify(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "not using a compiled plugin");
                return None;
            }
        }
        precompiled::map(self.engine, &path)
            .inspect_err(|error| {
                tracing::warn!(path = %path.display(), %error, "not using a compiled plugin");
            })
            .ok()
    }

    /// Keeps a compiled form. A failure costs the next start some time, and is logged.
    pub(super) fn keep(&self, plugin: Sha256, component: &Component) {
        let path = self.path(plugin);
        let kept = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|compiled| self.write(&path, &compiled));
        match kept {
            Ok(()) => self.prune(&path),
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "cannot keep a compiled plugin");
            }
        }
    }

    fn path(&self, plugin: Sha256) -> PathBuf {
        let mut hasher = Fnv::default();
        self.engine
            .precompile_compatibility_hash()
            .hash(&mut hasher);
        let compatible = hasher.finish();
        self.directory
            .join(format!("{plugin}-{compatible:016x}.cwasm"))
    }

    fn verify(&self, path: &Path) -> io::Result<()> {
        check_private(self.directory)?;
        let compiled = read_private(path)?;
        let recorded = read_private(&beside(path))?;
        let recorded = String::from_utf8_lossy(&recorded);
        let found = Sha256::of(&compiled);
        if Sha256::parse(recorded.trim()) == Some(found) {
            return Ok(());
        }
        Err(io::Error::other(format!(
            "its SHA-256 is {found}, recorded is {}",
            recorded.trim().escape_default()
        )))
    }

    fn write(&self, path: &Path, compiled: &[u8]) -> io::Result<()> {
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(self.directory);
        made?;
        check_private(self.directory)?;
        // The code first: without its record it is not used.
        replace(path, compiled)?;
        replace(&beside(path), Sha256::of(compiled).to_string().as_bytes())
    }

    /// Removes the oldest of too many, never the newest.
    fn prune(&self, newest: &Path) {
        let Ok(entries) = fs::read_dir(self.directory) else {
            return;
        };
        let mut kept: Vec<(SystemTime, PathBuf)> = entries
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|it| it == "cwasm") && path != newest)
            .filter_map(|path| Some((fs::metadata(&path).ok()?.modified().ok()?, path)))
            .collect();
        kept.sort();
        let surplus = kept.len().saturating_sub(MOST - 1);
        for (_, path) in kept.into_iter().take(surplus) {
            // Who has it mapped keeps it.
            let _gone = fs::remove_file(&path).and_then(|()| fs::remove_file(beside(&path)));
        }
    }
}

/// Where the hash of `path` is recorded.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

fn check_private(directory: &Path) -> io::Result<()> {
    let found = fs::symlink_metadata(directory)?;
    if !found.is_dir() {
        return Err(io::Error::other("the cache is no directory"));
    }
    check_owner(&found, "the directory")
}

fn check_owner(found: &fs::Metadata, what: &str) -> io::Result<()> {
    let user = rustix::process::geteuid().as_raw();
    if found.uid() != user {
        return Err(io::Error::other(format!(
            "{what} belongs to user {}, it must belong to {user}",
            found.uid()
        )));
    }
    let open = found.mode() & 0o077;
    if open != 0 {
        return Err(io::Error::other(format!(
            "{what} has mode {:04o}, nobody but its owner may use it",
            found.mode() & 0o7777
        )));
    }
    Ok(())
}

fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or_default())
        .open(path)?;
    let found = file.metadata()?;
    if !found.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    check_owner(&found, "the file")?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension(format!("{}.new", std::process::id()));
    let _left_over = fs::remove_file(&draft);
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file: File| file.write_all(bytes))
        .and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        let _gone = fs::remove_file(&draft);
    }
    written
}

/// FNV-1a: a hash that is the same in every process.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl std::hash::Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// Compiled plugins that are kept.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const PLUGIN: &str = "(component (core module (func (export \"f\"))))";

    fn kept() -> (tempfile::TempDir, PathBuf, Sha256) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("plugins");
        let engine = &super::super::super::engine::shared().unwrap().engine;
        let component = Component::new(engine, wat::parse_str(PLUGIN).unwrap()).unwrap();
        let hash = Sha256::of(PLUGIN.as_bytes());
        let cache = Cache::new(&path, engine);
        assert!(cache.find(hash).is_none());
        cache.keep(hash, &component);
        assert!(cache.find(hash).is_some());
        (directory, path, hash)
    }

    fn find(path: &Path, hash: Sha256) -> Option<Component> {
        Cache::new(path, &super::super::super::engine::shared().unwrap().engine).find(hash)
    }

    fn files(path: &Path, extension: &str) -> Vec<PathBuf> {
        let files = fs::read_dir(path).unwrap().map(|it| it.unwrap().path());
        files
            .filter(|it| it.extension().is_some_and(|it| it == extension))
            .collect()
    }

    #[test]
    fn what_is_kept_is_private_to_its_owner() {
        let (_kept, path, _) = kept();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&path), 0o700);
        for extension in ["cwasm", "sha256"] {
            let [file] = files(&path, extension).try_into().unwrap();
            assert_eq!(mode(&file), 0o600);
        }
    }

    #[test]
    fn a_file_that_was_changed_is_not_used() {
        let (_kept, path, hash) = kept();
        let [file] = files(&path, "cwasm").try_into().unwrap();
        let mut bytes = fs::read(&file).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(find(&path, hash).is_none());
    }

    #[test]
    fn a_file_that_others_could_have_written_is_not_used() {
        let (_kept, path, hash) = kept();
        let [file] = files(&path, "cwasm").try_into().unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(find(&path, hash).is_none());
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(find(&path, hash).is_some());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
        assert!(find(&path, hash).is_none());
    }

    #[test]
    fn a_link_is_not_followed() {
        let (_kept, path, hash) = kept();
        let [file] = files(&path, "cwasm").try_into().unwrap();
        let elsewhere = path.join("elsewhere");
        fs::rename(&file, &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &file).unwrap();
        assert!(find(&path, hash).is_none());
    }

    #[test]
    fn another_plugin_finds_nothing() {
        let (_kept, path, _) = kept();
        assert!(find(&path, Sha256::of(b"another")).is_none());
    }
}
