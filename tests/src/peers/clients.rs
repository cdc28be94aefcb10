//! Consul's clients in other languages, pinned, installed below `target/peers` and nowhere else.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::peers::PeerError;
use crate::peers::package::{Installer, Package};

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
        installer: Installer::Pip,
        packages: &["py-consul==1.8.0"],
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
        installer: Installer::Npm,
        packages: &["consul@2.0.1"],
    };
    let fetched = FETCHED.get_or_init(|| package.fetch());
    fetched.as_deref().map_err(PeerError::clone)
}
