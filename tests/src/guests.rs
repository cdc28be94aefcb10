//! Plugins built from `plugins/` for tests, each once.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "wasm32-wasip2";

/// The component of the Rust plugin `package`, built if it is not up to date.
///
/// Several tests, and several processes of them, may ask at once: they take turns.
pub async fn guest(package: &str) -> PathBuf {
    let package = package.to_owned();
    tokio::task::spawn_blocking(move || build(&package))
        .await
        .unwrap_or_else(|error| panic!("building a plugin: {error}"))
}

fn build(package: &str) -> PathBuf {
    let workspace = workspace();
    let target_dir = workspace.join("target/guests");
    std::fs::create_dir_all(&target_dir).unwrap_or_else(|error| panic!("target/guests: {error}"));
    let lock = File::create(target_dir.join("harness.lock"))
        .unwrap_or_else(|error| panic!("target/guests/harness.lock: {error}"));
    lock.lock()
        .unwrap_or_else(|error| panic!("target/guests/harness.lock: {error}"));
    run(Command::new("rustup").args(["target", "add", TARGET]));
    run(Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--target",
            TARGET,
            "--package",
            package,
        ])
        .arg("--target-dir")
        .arg(&target_dir)
        // A test's own settings are for the machine that it runs on.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&workspace));
    let name = package.replace('-', "_");
    target_dir
        .join(TARGET)
        .join("release")
        .join(format!("{name}.wasm"))
}

fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?} is needed by this test: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
}
