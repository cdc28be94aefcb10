//! Our own program, built once per test process in the profile the tests run in.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Why our own program cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BinaryError {
    /// The build could not be started, or failed.
    #[error("`cargo build -p chancery` failed: {reason}")]
    Build {
        /// What cargo said.
        reason: String,
    },
}

/// The path of the `chancery` program, built now if it is not up to date.
///
/// # Errors
/// [`BinaryError::Build`] with the last lines of cargo's output.
pub fn chancery_binary() -> Result<&'static Path, BinaryError> {
    static BUILT: OnceLock<Result<PathBuf, BinaryError>> = OnceLock::new();
    BUILT
        .get_or_init(build)
        .as_deref()
        .map_err(BinaryError::clone)
}

/// The directory that cargo builds into (`target`, unless the user chose another).
#[must_use]
pub fn target_directory() -> PathBuf {
    profile_directory()
        .parent()
        .map_or_else(|| PathBuf::from("target"), Path::to_path_buf)
}

/// The profile that this test program was built in, as its directory is called
/// (`debug` or `release`).
#[must_use]
pub fn profile() -> String {
    profile_directory()
        .file_name()
        .map_or_else(|| "debug".to_owned(), |name| name.to_string_lossy().into())
}

// A test program lies in `<target>/<profile>/deps/`, a bench or an example likewise one below
// the profile.
fn profile_directory() -> PathBuf {
    std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.parent()?.parent()?.to_path_buf()))
        .unwrap_or_else(|| PathBuf::from("target/debug"))
}

fn build() -> Result<PathBuf, BinaryError> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "-p", "chancery", "--bin", "chancery"])
        .arg("--target-dir")
        .arg(target_directory())
        .current_dir(env!("CARGO_MANIFEST_DIR"));
    if profile() == "release" {
        command.arg("--release");
    }
    let output = command.output().map_err(|error| BinaryError::Build {
        reason: error.to_string(),
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let tail: Vec<&str> = said.lines().rev().take(20).collect();
        let reason = tail.into_iter().rev().collect::<Vec<_>>().join("\n");
        return Err(BinaryError::Build { reason });
    }
    Ok(profile_directory().join("chancery"))
}
