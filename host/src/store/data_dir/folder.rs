//! A folder of small files in the data directory, each written wholly or not at all.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::{AtFlags, Dir, Mode, OFlags};
use rustix::io::Errno;

use super::{
    DataDir, DataDirError, PASSING_SUFFIX, SAFELY, access, check_mode, check_owner, checked,
    create_in, refused,
};

/// A folder of the data directory. Clones are the same; the directory stays locked as long as
/// one of them lives.
#[derive(Clone, Debug)]
pub struct Folder(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    directory: OwnedFd,
    _parent: DataDir,
}

impl DataDir {
    /// The folder `name` of this directory, made if it is not there.
    ///
    /// # Errors
    /// When it is not ours alone, or cannot be made.
    pub fn folder(&self, name: &str) -> Result<Folder, DataDirError> {
        let path = self.0.path.join(name);
        match rustix::fs::mkdirat(&self.0.directory, name, Mode::RWXU) {
            Ok(()) => rustix::fs::fsync(&self.0.directory)
                .map_err(|error| refused(error, "sync", &self.0.path))?,
            Err(Errno::EXIST) => {}
            Err(error) => return Err(refused(error, "create", &path)),
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFELY;
        let directory = match rustix::fs::openat(&self.0.directory, name, flags, Mode::empty()) {
            Ok(directory) => directory,
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(super::not_a_directory(&path)),
            Err(error) => return Err(refused(error, "open", &path)),
        };
        let stat =
            rustix::fs::fstat(&directory).map_err(|error| refused(error, "examine", &path))?;
        check_owner(&stat, &path)?;
        check_mode(&stat, &path, 0o700)?;
        Ok(Folder(Arc::new(Inner {
            path,
            directory,
            _parent: self.clone(),
        })))
    }
}

impl Folder {
    /// Writes the file `name`, in place of an earlier one. When this returns, it is durable; if
    /// it never does, the earlier one is still there.
    ///
    /// # Errors
    /// What the system says.
    pub fn write(&self, name: &str, contents: &[u8]) -> Result<(), DataDirError> {
        let Inner {
            path, directory, ..
        } = &*self.0;
        let file = path.join(name);
        create_in(directory, path, name, |mut handle: File| {
            handle.write_all(contents).map_err(access("write", &file))
        })
    }

    /// Removes files; those that are not there are no error. When this returns, that is durable.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove(&self, names: &[String]) -> Result<(), DataDirError> {
        let Inner {
            path, directory, ..
        } = &*self.0;
        for name in names {
            match rustix::fs::unlinkat(directory, name.as_str(), AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(error) => return Err(refused(error, "remove", &path.join(name))),
            }
        }
        rustix::fs::fsync(directory).map_err(|error| refused(error, "sync", path))
    }

    /// All whole files with their names, in the order of the names. What was left half written
    /// is not among them.
    ///
    /// # Errors
    /// What the system says, or that a file is not ours alone.
    pub fn read_all(&self) -> Result<Vec<(String, Vec<u8>)>, DataDirError> {
        let Inner {
            path, directory, ..
        } = &*self.0;
        let listed = Dir::read_from(directory).map_err(|error| refused(error, "list", path))?;
        let mut names = Vec::new();
        for entry in listed {
            let entry = entry.map_err(|error| refused(error, "list", path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if name != "." && name != ".." && !name.ends_with(PASSING_SUFFIX) {
                names.push(name);
            }
        }
        names.sort_unstable();
        names
            .into_iter()
            .map(|name| {
                let file = path.join(&name);
                let flags = OFlags::RDONLY | SAFELY;
                let opened = rustix::fs::openat(directory, name.as_str(), flags, Mode::empty())
                    .map_err(|error| refused(error, "open", &file))?;
                let mut contents = Vec::new();
                checked(opened, &file, 0o600)?
                    .read_to_end(&mut contents)
                    .map_err(access("read", &file))?;
                Ok((name, contents))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(home: &tempfile::TempDir) -> Folder {
        let directory = DataDir::open_or_create(&home.path().join("data")).unwrap();
        directory.folder("things").unwrap()
    }

    #[test]
    fn what_was_written_last_is_read_after_reopening() {
        let home = tempfile::tempdir().unwrap();
        let first = folder(&home);
        first.write("b", b"old").unwrap();
        first.write("a", b"1").unwrap();
        first.write("c", b"3").unwrap();
        first.write("b", b"new").unwrap();
        first.remove(&["c".to_owned(), "never".to_owned()]).unwrap();
        drop(first);
        let expected = [("a", "1"), ("b", "new")]
            .map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        assert_eq!(folder(&home).read_all().unwrap(), expected);
    }

    #[test]
    fn a_file_left_half_written_is_passed_over_and_written_again() {
        let home = tempfile::tempdir().unwrap();
        drop(folder(&home));
        std::fs::write(home.path().join("data/things/a.new"), "half").unwrap();
        let reopened = folder(&home);
        assert_eq!(reopened.read_all().unwrap(), []);
        reopened.write("a", b"whole").unwrap();
        assert_eq!(
            reopened.read_all().unwrap(),
            [("a".to_owned(), b"whole".to_vec())]
        );
    }

    #[test]
    fn a_link_in_the_place_of_a_file_or_of_the_folder_is_refused() {
        let home = tempfile::tempdir().unwrap();
        drop(folder(&home));
        let things = home.path().join("data/things");
        std::os::unix::fs::symlink("/etc/hostname", things.join("a")).unwrap();
        let error = folder(&home).read_all().unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
        std::fs::remove_dir_all(&things).unwrap();
        std::os::unix::fs::symlink("/etc", &things).unwrap();
        let directory = DataDir::open_or_create(&home.path().join("data")).unwrap();
        let error = directory.folder("things").unwrap_err();
        assert!(error.to_string().contains("symbolic link"), "{error}");
    }
}
