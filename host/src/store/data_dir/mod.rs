//! The directory that holds the store and its key: ours alone, or refused.
//!
//! Everything is opened relative to one directory handle and without following links, so what
//! was checked is what is used. Whoever can write to the directory could otherwise have the agent
//! open, overwrite or hand out a file of their choice.

mod folder;
mod room;

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{AtFlags, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use folder::Folder;
pub use room::Room;

/// A data directory, checked, and locked against a second agent for as long as a clone lives.
#[derive(Clone, Debug)]
pub struct DataDir(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    directory: OwnedFd,
    /// Holds the lock; the kernel lets go of it however the process ends.
    _lock: File,
}

/// Why a directory cannot be used.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataDirError {
    /// The system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Access {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: Arc<io::Error>,
    },
    /// Somebody else owns it, and could change it under us.
    #[error("{} belongs to user {found}, not to user {allowed}, who runs the agent", path.display())]
    ForeignOwner {
        /// The directory or file.
        path: PathBuf,
        /// Its owner's user id.
        found: u32,
        /// The user id of this process.
        allowed: u32,
    },
    /// A file has a second name, through which it could be read or changed.
    #[error("{} has {links} names (hard links), only 1 is allowed", path.display())]
    HardLink {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// Another agent uses the directory.
    #[error("{} is in use by another agent{}: every agent needs a data directory of its own", path.display(), process(*pid))]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The other agent's process id, when its lock file tells it.
        pid: Option<u32>,
    },
    /// Something else stands where a directory or a file of ours belongs.
    #[error("{} is a {found}, only a {allowed} is allowed", path.display())]
    WrongType {
        /// The directory or file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What it must be.
        allowed: &'static str,
    },
    /// Others may read or change it.
    #[error("{} has mode {found:04o}, at most {allowed:04o} is allowed: run chmod {allowed:o} on it", path.display())]
    TooOpen {
        /// The directory or file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
        /// The most that it may have.
        allowed: u32,
    },
}

impl DataDir {
    /// Opens `path`, creating it with mode 0700 when absent, checks it and the files of ours in
    /// it, and locks it.
    ///
    /// # Errors
    /// When the directory is not ours alone, or another agent has it: see [`DataDirError`].
    pub fn open_or_create(path: &Path) -> Result<Self, DataDirError> {
        // Without a trailing slash, which would make the kernel follow a link after all.
        let path: PathBuf = path.components().collect();
        let access = |action| access(action, &path);
        let created = match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => true,
            // Also what a dangling link or a file gives; the checks below name it.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => false,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut recursive = DirBuilder::new();
                recursive.mode(0o700).recursive(true);
                recursive.create(&path).map_err(access("create"))?;
                true
            }
            Err(error) => return Err(access("create")(error)),
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = match rustix::fs::open(&path, flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(not_a_directory(&path)),
            Err(error) => return Err(access("open")(error.into())),
        };
        let stat =
            rustix::fs::fstat(&directory).map_err(|error| access("examine")(error.into()))?;
        check_owner(&stat, &path)?;
        check_mode(&stat, &path, 0o700)?;
        if let Some(parent) = path.parent().filter(|_| created) {
            sync_directory(parent)?;
        }
        for name in OUR_FILES {
            if let Some(stat) = stat_in(&directory, name, &path)? {
                check_file(&stat, &path.join(name), 0o600)?;
            }
        }
        let lock = lock(&directory, &path)?;
        Ok(Self(Arc::new(Inner {
            path,
            directory,
            _lock: lock,
        })))
    }

    /// Where the directory is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Whether there is anything called `name`.
    pub(super) fn contains(&self, name: &str) -> Result<bool, DataDirError> {
        Ok(stat_in(&self.0.directory, name, &self.0.path)?.is_some())
    }

    /// Opens the file `name` for reading and writing; `None` when there is none.
    pub(super) fn open_file(&self, name: &str) -> Result<Option<File>, DataDirError> {
        let path = self.0.path.join(name);
        let flags = OFlags::RDWR | SAFELY;
        let file = match rustix::fs::openat(&self.0.directory, name, flags, Mode::empty()) {
            Ok(file) => file,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(refused(error, "open", &path)),
        };
        checked(file, &path, 0o600).map(Some)
    }

    /// Creates the file `name` with what `fill` writes: wholly, durably, or not at all.
    pub(super) fn create_file<E: From<DataDirError>>(
        &self,
        name: &str,
        fill: impl FnOnce(File) -> Result<(), E>,
    ) -> Result<(), E> {
        create_in(&self.0.directory, &self.0.path, name, fill)
    }
}

/// Creates `name` in `directory` under a passing name, syncs it, names it, syncs the directory.
pub(super) fn create_in<E: From<DataDirError>>(
    directory: &OwnedFd,
    directory_path: &Path,
    name: &str,
    fill: impl FnOnce(File) -> Result<(), E>,
) -> Result<(), E> {
    let passing = format!("{name}{PASSING_SUFFIX}");
    let path = directory_path.join(&passing);
    match rustix::fs::unlinkat(directory, &passing, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(refused(error, "remove", &path).into()),
    }
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | SAFELY;
    let file: File = rustix::fs::openat(directory, &passing, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| refused(error, "create", &path))?
        .into();
    let handle = file.try_clone().map_err(access("open", &path))?;
    fill(handle)?;
    file.sync_all().map_err(access("sync", &path))?;
    rustix::fs::renameat(directory, &passing, directory, name)
        .map_err(|error| refused(error, "rename", &path))?;
    rustix::fs::fsync(directory).map_err(|error| refused(error, "sync", directory_path))?;
    Ok(())
}

/// Makes the names in `path` durable.
fn sync_directory(path: &Path) -> Result<(), DataDirError> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let directory = File::open(path).map_err(access("open", path))?;
    directory.sync_all().map_err(access("sync", path))
}

fn lock(directory: &OwnedFd, directory_path: &Path) -> Result<File, DataDirError> {
    let path = directory_path.join(LOCK_FILE);
    let flags = OFlags::RDWR | OFlags::CREATE | SAFELY;
    let file = rustix::fs::openat(directory, LOCK_FILE, flags, Mode::RUSR | Mode::WUSR)
        .map_err(|error| refused(error, "open", &path))?;
    let mut file = checked(file, &path, 0o600)?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            let mut pid = String::new();
            let told = file.take(16).read_to_string(&mut pid);
            return Err(DataDirError::InUse {
                path: directory_path.into(),
                pid: told.ok().and_then(|_| pid.trim().parse().ok()),
            });
        }
        Err(error) => return Err(refused(error, "lock", &path)),
    }
    file.set_len(0).map_err(access("write", &path))?;
    writeln!(file, "{}", std::process::id()).map_err(access("write", &path))?;
    Ok(file)
}

fn stat_in(
    directory: &OwnedFd,
    name: &str,
    directory_path: &Path,
) -> Result<Option<Stat>, DataDirError> {
    match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(refused(error, "examine", &directory_path.join(name))),
    }
}

/// The opened file, if it is one that only we can reach.
pub(super) fn checked(file: OwnedFd, path: &Path, mode: u32) -> Result<File, DataDirError> {
    let stat = rustix::fs::fstat(file.as_fd()).map_err(|error| refused(error, "examine", path))?;
    check_file(&stat, path, mode)?;
    Ok(file.into())
}

/// The opened file, if nobody but its owner, root and a group that may read can reach it.
///
/// For a file that the operator named: secrets mounted into a container belong to root.
pub(super) fn checked_elsewhere(file: OwnedFd, path: &Path) -> Result<File, DataDirError> {
    let stat = rustix::fs::fstat(file.as_fd()).map_err(|error| refused(error, "examine", path))?;
    check_regular(&stat, path)?;
    if stat.st_uid != 0 {
        check_owner(&stat, path)?;
    }
    check_mode(&stat, path, 0o640)?;
    Ok(file.into())
}

fn check_file(stat: &Stat, path: &Path, mode: u32) -> Result<(), DataDirError> {
    check_regular(stat, path)?;
    check_owner(stat, path)?;
    #[expect(
        clippy::useless_conversion,
        reason = "the width differs between architectures"
    )]
    let links = u64::from(stat.st_nlink);
    if links > 1 {
        return Err(DataDirError::HardLink {
            path: path.into(),
            links,
        });
    }
    check_mode(stat, path, mode)
}

fn check_regular(stat: &Stat, path: &Path) -> Result<(), DataDirError> {
    let found = FileType::from_raw_mode(stat.st_mode);
    if found == FileType::RegularFile {
        return Ok(());
    }
    Err(DataDirError::WrongType {
        path: path.into(),
        found: name_of(found),
        allowed: name_of(FileType::RegularFile),
    })
}

fn check_owner(stat: &Stat, path: &Path) -> Result<(), DataDirError> {
    let allowed = rustix::process::geteuid().as_raw();
    if stat.st_uid == allowed {
        return Ok(());
    }
    Err(DataDirError::ForeignOwner {
        path: path.into(),
        found: stat.st_uid,
        allowed,
    })
}

/// Only the bits of group and others count: a file that we may not write is not a danger.
fn check_mode(stat: &Stat, path: &Path, allowed: u32) -> Result<(), DataDirError> {
    let found = stat.st_mode & 0o777;
    if found & 0o077 & !allowed == 0 {
        return Ok(());
    }
    Err(DataDirError::TooOpen {
        path: path.into(),
        found,
        allowed,
    })
}

fn not_a_directory(path: &Path) -> DataDirError {
    match std::fs::symlink_metadata(path) {
        Ok(found) => DataDirError::WrongType {
            path: path.into(),
            found: name_of(FileType::from_raw_mode(
                std::os::unix::fs::MetadataExt::mode(&found),
            )),
            allowed: name_of(FileType::Directory),
        },
        Err(error) => access("open", path)(error),
    }
}

fn name_of(found: FileType) -> &'static str {
    match found {
        FileType::BlockDevice | FileType::CharacterDevice => "device",
        FileType::Directory => "directory",
        FileType::Fifo => "named pipe",
        FileType::RegularFile => "file",
        FileType::Socket => "socket",
        FileType::Symlink => "symbolic link",
        FileType::Unknown => "thing of unknown type",
    }
}

/// The error of opening without following: a link there is told apart from every other failure.
fn refused(error: Errno, action: &'static str, path: &Path) -> DataDirError {
    match error {
        Errno::LOOP => DataDirError::WrongType {
            path: path.into(),
            found: name_of(FileType::Symlink),
            allowed: name_of(FileType::RegularFile),
        },
        Errno::ISDIR => DataDirError::WrongType {
            path: path.into(),
            found: name_of(FileType::Directory),
            allowed: name_of(FileType::RegularFile),
        },
        error => access(action, path)(error.into()),
    }
}

fn access<'a>(
    action: &'static str,
    path: &'a Path,
) -> impl FnOnce(io::Error) -> DataDirError + use<'a> {
    move |source| DataDirError::Access {
        action,
        path: path.into(),
        source: Arc::new(source),
    }
}

fn process(pid: Option<u32>) -> String {
    pid.map_or_else(String::new, |pid| format!(" (process {pid})"))
}

/// The store.
pub(super) const STORE_FILE: &str = "chancery.redb";

/// The key that seals secrets in the store, unless the configuration keeps it elsewhere.
pub(super) const KEY_FILE: &str = "seal.key";

const LOCK_FILE: &str = "agent.lock";

/// What a file is called until it is whole.
const PASSING_SUFFIX: &str = ".new";

/// The names that are checked at the start.
const OUR_FILES: [&str; 5] = [
    STORE_FILE,
    "chancery.redb.new",
    KEY_FILE,
    "seal.key.new",
    LOCK_FILE,
];

/// Without following a link, without waiting for the other end of a pipe, not for children.
const SAFELY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

#[cfg(test)]
mod tests;
