//! WebAssembly guests, built when a test first needs them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use super::target_directory;

const TARGET: &str = "wasm32-wasip2";

/// Why a guest cannot be had.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{command} failed, which this test needs for its guest: {reason}")]
pub struct GuestError {
    command: String,
    reason: String,
}

/// The component that the plugin crate `package` builds to, as its author would build it.
///
/// # Errors
/// [`GuestError`] with what the compiler said.
pub fn plugin(package: &str) -> Result<PathBuf, GuestError> {
    let arguments = ["--release", "--package", package];
    let directory = built(package, &arguments, "release")?;
    Ok(directory.join(format!("{}.wasm", package.replace('-', "_"))))
}

/// A plugin of `tests/guests/hostile`; they are built all at once.
///
/// # Errors
/// [`GuestError`] with what the compiler said.
pub fn hostile_plugin(name: &str) -> Result<PathBuf, GuestError> {
    let arguments = [
        "--profile",
        "guest",
        "--package",
        "hostile-guests",
        "--examples",
    ];
    let directory = built("hostile-guests", &arguments, "guest")?;
    Ok(directory.join("examples").join(format!("{name}.wasm")))
}

/// Builds once in a process; cargo sees to it that processes do not build at the same time.
fn built(what: &str, arguments: &[&str], profile: &str) -> Result<PathBuf, GuestError> {
    static BUILT: Mutex<Option<HashMap<String, Result<PathBuf, GuestError>>>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
    let built = built.get_or_insert_default();
    if let Some(before) = built.get(what) {
        return before.clone();
    }
    let now = build(arguments, profile);
    built.insert(what.to_owned(), now.clone());
    now
}

fn build(arguments: &[&str], profile: &str) -> Result<PathBuf, GuestError> {
    let target_directory = target_directory().join("guests");
    run(Command::new("rustup").args(["target", "add", TARGET]))?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--target", TARGET])
        .args(arguments)
        .arg("--target-dir")
        .arg(&target_directory)
        // Flags for this machine's programs mean nothing to a guest.
        .env_remove("RUSTFLAGS")
        .current_dir(workspace());
    run(&mut command)?;
    Ok(target_directory.join(TARGET).join(profile))
}

fn run(command: &mut Command) -> Result<(), GuestError> {
    let output = command.output();
    let failed = |reason| GuestError {
        command: format!("{command:?}"),
        reason,
    };
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}

fn workspace() -> &'static Path {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().unwrap_or(tests)
}
