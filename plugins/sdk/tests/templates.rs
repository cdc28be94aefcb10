//! What `chancery plugin new` writes is whole: a file that is added to the crate or to the
//! interface must be added to the templates too.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a test fails as its tests do"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[path = "../../templates/files.rs"]
mod files;

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below `folder`, by their paths from there.
fn below(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if path.is_dir() {
            found.extend(
                below(&path)
                    .into_iter()
                    .map(|inner| format!("{name}/{inner}")),
            );
        } else {
            found.insert(name.to_owned());
        }
    }
    found
}

/// That `files` has below `target` what lies in the folder `source`.
fn assert_whole(files: &[(&str, &str)], target: &str, source: &str) {
    let source = plugins().join(source);
    let listed: BTreeSet<String> = files
        .iter()
        .filter_map(|(path, text)| {
            let path = path.strip_prefix(target)?;
            let there = std::fs::read_to_string(source.join(path)).unwrap();
            assert_eq!(*text, there, "{path}");
            Some(path.to_owned())
        })
        .collect();
    assert_eq!(listed, below(&source), "{target}");
}

#[test]
fn a_plugin_in_rust_has_the_whole_crate_and_interface() {
    assert_whole(files::RUST, "src/", "examples/local-ca/src");
    assert_whole(files::RUST, "vendor/chancery-plugin/src/", "sdk/src");
    assert_whole(files::RUST, "vendor/chancery-plugin/wit/", "wit");
}

#[test]
fn plugins_in_other_languages_have_the_whole_interface() {
    assert_whole(files::JS, "src/", "examples/local-ca-js/src");
    assert_whole(files::JS, "wit/", "wit");
    assert_whole(files::PYTHON, "wit/", "wit");
}

/// The copy stands outside of the workspace, so it says the versions itself.
#[test]
fn the_copy_of_the_crate_wants_what_the_crate_wants() {
    let workspace = std::fs::read_to_string(plugins().join("../Cargo.toml")).unwrap();
    let (_, copy) = files::RUST
        .iter()
        .find(|(path, _)| *path == "vendor/chancery-plugin/Cargo.toml")
        .unwrap();
    let own = std::fs::read_to_string(plugins().join("sdk/Cargo.toml")).unwrap();
    let mut wanted = 0;
    for line in own.lines().filter(|line| line.contains("workspace = true")) {
        let name = line.split(['.', ' ']).next().unwrap();
        let version = |text: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("{name} = {{ version")))?;
            Some(line.split('"').nth(1)?.to_owned())
        };
        if let Some(version_there) = version(&workspace) {
            assert_eq!(version(copy), Some(version_there), "{name}");
            wanted += 1;
        }
    }
    assert_eq!(wanted, 5);
}
