//! Example plugins in languages that cargo does not build.
//!
//! Each is built by the commands in its README, in a copy of its folder. They fetch what they
//! need, in the versions pinned there: `componentize-qjs` of npm for JavaScript, and
//! `componentize-py` and `asn1crypto` of PyPI for Python. What is kept below `target/guests` is
//! the component, until a file of the example changes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{Digest, SHA256, digest};

use super::workspace;
use crate::pages::Page;

/// The component of the example in JavaScript.
///
/// Several tests, and several processes of them, may ask at once: they take turns.
pub async fn js_guest() -> PathBuf {
    built("local-ca-js").await
}

/// The component of the example in Python. Building it takes ten seconds.
///
/// Several tests, and several processes of them, may ask at once: they take turns.
pub async fn python_guest() -> PathBuf {
    built("local-ca-python").await
}

async fn built(example: &'static str) -> PathBuf {
    let build = move || {
        up_to_date(example).unwrap_or_else(|error| panic!("the example {example}: {error}"))
    };
    tokio::task::spawn_blocking(build)
        .await
        .unwrap_or_else(|error| panic!("building {example}: {error}"))
}

fn up_to_date(example: &str) -> io::Result<PathBuf> {
    let source = workspace().join("plugins/examples").join(example);
    let home = workspace().join("target/guests").join(example);
    fs::create_dir_all(&home)?;
    let lock = File::create(home.join("harness.lock"))?;
    lock.lock()?;
    let files = files_of(&source)?;
    let hash = hash(&files);
    let component = home.join(format!("{example}.wasm"));
    let made_from = home.join("made-from");
    if fs::read(&made_from).is_ok_and(|made| made == hash.as_ref()) {
        return Ok(component);
    }
    drop(fs::remove_file(&made_from));
    let project = home.join("project");
    drop(fs::remove_dir_all(&project));
    for (path, bytes) in &files {
        let path = project.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&project))?;
        fs::write(path, bytes)?;
    }
    let readme = Page::read(&format!("plugins/examples/{example}/README.md"))?;
    let commands = readme.commands();
    for command in commands.iter().filter(|it| !it.starts_with("chancery ")) {
        run(command, &project)?;
    }
    fs::rename(project.join(format!("{example}.wasm")), &component)?;
    fs::remove_dir_all(&project)?;
    fs::write(made_from, hash)?;
    Ok(component)
}

/// The files of a project with their paths in it, in order. What its `.gitignore` names is not
/// among them: somebody may have built there.
fn files_of(project: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let ignored = fs::read_to_string(project.join(".gitignore"))?;
    let ignored: Vec<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let mut files = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(project.join(&folder))? {
            let name = entry?.file_name();
            if ignored
                .iter()
                .any(|line| matches(line, &name.to_string_lossy()))
            {
                continue;
            }
            let path = folder.join(name);
            // Follows links: the interface is one.
            if fs::metadata(project.join(&path))?.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(project.join(&path))?;
                files.push((path, bytes));
            }
        }
    }
    files.sort();
    Ok(files)
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_prefix('*') {
        Some(end) => name.ends_with(end),
        None => name == pattern,
    }
}

fn hash(files: &[(PathBuf, Vec<u8>)]) -> Digest {
    let mut whole = Vec::new();
    for (path, bytes) in files {
        whole.extend(digest(&SHA256, path.as_os_str().as_encoded_bytes()).as_ref());
        whole.extend(digest(&SHA256, bytes).as_ref());
    }
    digest(&SHA256, &whole)
}

fn run(command: &str, folder: &Path) -> io::Result<()> {
    let ran = Command::new("sh")
        .args(["-c", command])
        .current_dir(folder)
        .output()?;
    if ran.status.success() {
        return Ok(());
    }
    let output = String::from_utf8_lossy(&ran.stdout).into_owned();
    let errors = String::from_utf8_lossy(&ran.stderr);
    Err(io::Error::other(format!(
        "`{command}` of its README failed:\n{output}{errors}"
    )))
}
