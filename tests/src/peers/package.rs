//! Packages that an installer of their language puts below `target/peers` and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::harness::target_directory;
use crate::peers::PeerError;

/// A package that an installer puts into the folder it runs in.
pub(super) struct Package {
    /// What it is called in messages.
    pub(super) peer: &'static str,
    /// What its folder is called.
    pub(super) name: &'static str,
    /// The program that fetches it.
    pub(super) installer: Installer,
    /// What it fetches, each with its version.
    pub(super) packages: &'static [&'static str],
}

/// A program that fetches packages into the folder it runs in.
#[derive(Clone, Copy)]
pub(super) enum Installer {
    Npm,
    Pip,
}

impl Installer {
    /// It and what it is told, before the packages.
    const fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Npm => (
                "npm",
                &[
                    "install",
                    "--silent",
                    "--no-audit",
                    "--no-fund",
                    "--prefix",
                    ".",
                ],
            ),
            Self::Pip => (
                "python3",
                &[
                    "-m",
                    "pip",
                    "install",
                    "--quiet",
                    "--disable-pip-version-check",
                    "--target",
                    ".",
                ],
            ),
        }
    }

    /// Where in the folder the modules are then.
    const fn modules(self) -> &'static str {
        match self {
            Self::Npm => "node_modules",
            Self::Pip => "",
        }
    }
}

impl Package {
    /// Where its modules are, fetched if they are not there.
    pub(super) fn fetch(&self) -> Result<PathBuf, PeerError> {
        let peers = target_directory().join("peers");
        let home = peers.join(self.name);
        fs::create_dir_all(&peers).map_err(|error| self.file(&peers, &error))?;
        // Test programs run in parallel: the first one fetches, the others wait for it.
        let lock_path = peers.join(format!("{}.lock", self.name));
        let lock = fs::File::create(&lock_path).map_err(|error| self.file(&lock_path, &error))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|errno| self.file(&lock_path, &io::Error::from(errno)))?;
        if !home.exists() {
            let scratch = peers.join(format!("{}.partial", self.name));
            drop(fs::remove_dir_all(&scratch));
            fs::create_dir_all(&scratch).map_err(|error| self.file(&scratch, &error))?;
            self.install(&scratch)?;
            fs::rename(&scratch, &home).map_err(|error| self.file(&home, &error))?;
        }
        Ok(home.join(self.installer.modules()))
    }

    fn install(&self, folder: &Path) -> Result<(), PeerError> {
        let (program, arguments) = self.installer.command();
        let arguments = [arguments, self.packages].concat();
        let failed = |reason: String| PeerError::Step {
            peer: self.peer,
            step: format!("{program} {}", arguments.join(" ")),
            reason,
        };
        let mut command = Command::new(program);
        command.args(&arguments).current_dir(folder);
        let output = command
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        Err(failed(last.unwrap_or("no message").to_owned()))
    }

    fn file(&self, path: &Path, error: &io::Error) -> PeerError {
        PeerError::File {
            peer: self.peer,
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
