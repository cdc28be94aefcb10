//! How much room there is for the store, and whether it can be used.

use rustix::fs::{AtFlags, Mode, OFlags};

use super::{DataDir, DataDirError, SAFELY, refused};

/// The file by which it is tried whether something can be written. It is gone at once.
const PROBE: &str = "probe";

/// The state of a file system, as the store sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// Bytes that may still be written.
    pub free: u64,
    /// Bytes there are in all.
    pub total: u64,
}

impl DataDir {
    /// Asks the file system how much room there is, and tries to make a file.
    ///
    /// # Errors
    /// What the system says: nothing can be stored then.
    pub fn room(&self) -> Result<Room, DataDirError> {
        let path = self.path();
        let directory = &self.0.directory;
        let found =
            rustix::fs::fstatvfs(directory).map_err(|error| refused(error, "examine", path))?;
        let file = path.join(PROBE);
        let flags = OFlags::WRONLY | OFlags::CREATE | SAFELY;
        let probe = rustix::fs::openat(directory, PROBE, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| refused(error, "create", &file))?;
        let written = rustix::io::write(&probe, b"?");
        let removed = rustix::fs::unlinkat(directory, PROBE, AtFlags::empty());
        written.map_err(|error| refused(error, "write", &file))?;
        removed.map_err(|error| refused(error, "remove", &file))?;
        Ok(Room {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usable_directory_has_room_and_keeps_no_probe() {
        let home = tempfile::tempdir().unwrap();
        let directory = DataDir::open_or_create(&home.path().join("data")).unwrap();
        let room = directory.room().unwrap();
        assert!(0 < room.free && room.free <= room.total);
        assert!(!directory.path().join(PROBE).exists());
        std::fs::remove_dir_all(directory.path()).unwrap();
        assert!(directory.room().is_err());
    }
}
