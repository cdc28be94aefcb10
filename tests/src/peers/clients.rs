//! Consul's clients in other languages, pinned, installed below `target/peers` and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use crate::harness::target_directory;
use crate::peers::PeerError;

/// The folder for `PYTHONPATH` in which `import consul` finds py-consul, fetched on the first
/// call.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn py_consul() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    let package = Package {
        peer: "py-consul 1.8.0",
        name: "py-consul-1.8.0",
        installer: "python3",
        arguments: &[
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "--target",
            ".",
            "py-consul==1.8.0",
        ],
        modules: "",
    };
    let fetched = FETCHED.get_or_init(|| package.fetch());
    fetched.as_deref().map_err(PeerError::clone)
}

/// The folder for `NODE_PATH` in which `require("consul")` finds npm's consul, fetched on the
/// first call.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn npm_consul() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    let package = Package {
        peer: "consul 2.0.1 of npm",
        name: "npm-consul-2.0.1",
        installer: "npm",
        arguments: &[
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            ".",
            "consul@2.0.1",
        ],
        modules: "node_modules",
    };
    let fetched = FETCHED.get_or_init(|| package.fetch());
    fetched.as_deref().map_err(PeerError::clone)
}

/// A package that an installer puts into the folder it runs in.
struct Package {
    /// What it is called in messages.
    peer: &'static str,
    /// What its folder is called.
    name: &'static str,
    installer: &'static str,
    arguments: &'static [&'static str],
    /// Where in its folder the modules are.
    modules: &'static str,
}

impl Package {
    fn fetch(&self) -> Result<PathBuf, PeerError> {
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
        Ok(home.join(self.modules))
    }

    fn install(&self, folder: &Path) -> Result<(), PeerError> {
        let failed = |reason: String| PeerError::Step {
            peer: self.peer,
            step: format!("{} {}", self.installer, self.arguments.join(" ")),
            reason,
        };
        let mut command = Command::new(self.installer);
        command.args(self.arguments).current_dir(folder);
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
