//! The real Consul 1.8.7, from Debian's package, unpacked below `target/peers` and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rustix::fs::{FlockOperation, flock};

use crate::harness::target_directory;
use crate::peers::PeerError;

const PEER: &str = "consul 1.8.7";
const VERSION: &str = "v1.8.7";
const SUITE: &str = "bullseye";

/// The path of the `consul` program, fetched on the first call.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn consul_binary() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    FETCHED
        .get_or_init(fetch)
        .as_deref()
        .map_err(PeerError::clone)
}

fn fetch() -> Result<PathBuf, PeerError> {
    let peers = target_directory().join("peers");
    let home = peers.join("consul-1.8.7");
    let program = home.join("usr/bin/consul");
    fs::create_dir_all(&peers).map_err(|error| file(&peers, &error))?;
    // Test programs run in parallel: the first one fetches, the others wait for it.
    let lock_path = peers.join("consul-1.8.7.lock");
    let lock = fs::File::create(&lock_path).map_err(|error| file(&lock_path, &error))?;
    flock(&lock, FlockOperation::LockExclusive)
        .map_err(|errno| file(&lock_path, &io::Error::from(errno)))?;
    if !program.exists() {
        let scratch = peers.join("consul-1.8.7.partial");
        drop(fs::remove_dir_all(&scratch));
        unpack(&scratch)?;
        fs::rename(scratch.join("root"), &home).map_err(|error| file(&home, &error))?;
        drop(fs::remove_dir_all(&scratch));
    }
    let said = run(Command::new(&program).arg("version"), "consul version")?;
    let found = said.split_whitespace().nth(1).unwrap_or_default();
    if found != VERSION {
        return Err(PeerError::Version {
            peer: PEER,
            wanted: VERSION,
            found: found.to_owned(),
        });
    }
    Ok(program)
}

fn unpack(scratch: &Path) -> Result<(), PeerError> {
    for name in ["lists/partial", "cache/archives/partial", "root"] {
        let path = scratch.join(name);
        fs::create_dir_all(&path).map_err(|error| file(&path, &error))?;
    }
    let sources = scratch.join("sources.list");
    let line = source_line().ok_or(PeerError::NoArchive { peer: PEER })?;
    fs::write(&sources, line).map_err(|error| file(&sources, &error))?;
    let apt = || {
        let mut command = Command::new("apt-get");
        command.current_dir(scratch);
        for (key, value) in [
            ("Dir::Etc::sourcelist", sources.clone()),
            ("Dir::Etc::sourceparts", PathBuf::from("/dev/null")),
            ("Dir::State::Lists", scratch.join("lists")),
            ("Dir::Cache", scratch.join("cache")),
            ("Acquire::Languages", PathBuf::from("none")),
            ("APT::Sandbox::User", PathBuf::from("")),
        ] {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        command
    };
    run(apt().arg("update"), "apt-get update")?;
    run(
        apt().args(["download", "consul"]),
        "apt-get download consul",
    )?;
    let package = fs::read_dir(scratch)
        .map_err(|error| file(scratch, &error))?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "deb"))
        .ok_or_else(|| file(scratch, &io::Error::other("no package arrived")))?;
    let mut command = Command::new("dpkg-deb");
    command.arg("-x").arg(package).arg(scratch.join("root"));
    run(&mut command, "dpkg-deb -x")?;
    Ok(())
}

/// One apt source line for the suite we want, at the archive this machine uses already.
fn source_line() -> Option<String> {
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    let parts = fs::read_dir("/etc/apt/sources.list.d").ok();
    let mut more: Vec<PathBuf> = parts
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    more.sort();
    files.append(&mut more);
    let archive = files
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .find_map(|text| archive_in(&text))?;
    Some(format!("deb {archive} {SUITE} main\n"))
}

/// The first Debian archive that a sources file names, in either of apt's two formats.
fn archive_in(text: &str) -> Option<String> {
    text.lines()
        .map(str::trim)
        .filter(|line| line.starts_with("URIs:") || line.starts_with("deb "))
        .flat_map(str::split_whitespace)
        .find(|word| word.trim_end_matches('/').ends_with("/debian"))
        .map(str::to_owned)
}

fn run(command: &mut Command, step: &str) -> Result<String, PeerError> {
    let failed = |reason: String| PeerError::Step {
        peer: PEER,
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

fn file(path: &Path, error: &io::Error) -> PeerError {
    PeerError::File {
        peer: PEER,
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::archive_in;

    #[test]
    fn finds_the_archive_in_both_formats() {
        let old = "# comment\ndeb [trusted=yes] http://mirror.test/debian/ bookworm main\n";
        let new = "Types: deb\nURIs: http://mirror.test/debian\nSuites: bookworm\n";
        let expected = Some("http://mirror.test/debian".to_owned());
        assert_eq!(archive_in(new), expected);
        assert_eq!(
            archive_in(old).map(|found| found.trim_end_matches('/').to_owned()),
            expected
        );
    }

    #[test]
    fn passes_over_other_archives() {
        let text = "URIs: http://mirror.test/debian-security\ndeb https://other.test/apt x main\n";
        assert_eq!(archive_in(text), None);
    }
}
