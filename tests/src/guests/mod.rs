//! WebAssembly guests for tests, built when they are first asked for.

mod scripted;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

pub use scripted::{js_guest, python_guest};

const TARGET: &str = "wasm32-wasip2";

/// The component of the Rust plugin `package`, built as its author would.
///
/// Several tests, and several processes of them, may ask at once: they take turns.
pub async fn guest(package: &str) -> PathBuf {
    let directory = built(&["--release", "--package", package], "release").await;
    directory.join(format!("{}.wasm", package.replace('-', "_")))
}

/// The component of a plugin in `tests/guests/hostile`; they are built all at once.
pub async fn hostile_guest(name: &str) -> PathBuf {
    let all = [
        "--profile",
        "guest",
        "--package",
        "hostile-guests",
        "--examples",
    ];
    let directory = built(&all, "guest").await;
    directory.join("examples").join(format!("{name}.wasm"))
}

/// Where the built ones are; each is built once in a process.
async fn built(arguments: &[&str], profile: &'static str) -> PathBuf {
    static BUILT: Mutex<Option<HashMap<Vec<String>, PathBuf>>> = Mutex::new(None);
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    let build = move || {
        let mut built = BUILT.lock().unwrap_or_else(PoisonError::into_inner);
        let built = built.get_or_insert_default();
        if let Some(directory) = built.get(&arguments) {
            return directory.clone();
        }
        let directory = build(&arguments).join(profile);
        built.insert(arguments, directory.clone());
        directory
    };
    tokio::task::spawn_blocking(build)
        .await
        .unwrap_or_else(|error| panic!("building a guest: {error}"))
}

fn build(arguments: &[String]) -> PathBuf {
    let workspace = workspace();
    let target_dir = workspace.join("target/guests");
    std::fs::create_dir_all(&target_dir).unwrap_or_else(|error| panic!("target/guests: {error}"));
    let lock = File::create(target_dir.join("harness.lock"))
        .unwrap_or_else(|error| panic!("target/guests/harness.lock: {error}"));
    lock.lock()
        .unwrap_or_else(|error| panic!("target/guests/harness.lock: {error}"));
    run(Command::new("rustup").args(["target", "add", TARGET]));
    run(Command::new(env!("CARGO"))
        .args(["build", "--target", TARGET])
        .args(arguments)
        .arg("--target-dir")
        .arg(&target_dir)
        // A test's own settings are for the machine that it runs on.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .current_dir(&workspace));
    target_dir.join(TARGET)
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
