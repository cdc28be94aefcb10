//! Which cores a process may use: what stands for two machines where there is one.

use std::io;
use std::process::Command;

/// Lets all threads of a process, and those that they will start, use only this core.
///
/// # Errors
/// When there is no such process or core, or no `taskset` (util-linux) on this machine.
pub fn keep_to_core(process: u32, core: usize) -> io::Result<()> {
    allow(process, &core.to_string())
}

/// Lets all threads of a process use every core of the machine again.
///
/// # Errors
/// As [`keep_to_core`].
pub fn allow_all_cores(process: u32) -> io::Result<()> {
    let online = std::fs::read_to_string("/sys/devices/system/cpu/online")?;
    allow(process, online.trim())
}

fn allow(process: u32, cores: &str) -> io::Result<()> {
    // With all tasks of no process taskset has nothing to do, and succeeds.
    std::fs::metadata(format!("/proc/{process}"))?;
    let told = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", cores])
        .arg(process.to_string())
        .output()
        .map_err(|error| io::Error::new(error.kind(), format!("taskset: {error}")))?;
    if told.status.success() {
        return Ok(());
    }
    let told = String::from_utf8_lossy(&told.stderr);
    Err(io::Error::other(told.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(process: u32) -> String {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("Cpus_allowed_list"));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    }

    #[test]
    fn a_process_is_kept_to_a_core_and_let_go() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let before = allowed(child.id());
        keep_to_core(child.id(), 0).unwrap();
        let kept = allowed(child.id());
        allow_all_cores(child.id()).unwrap();
        let after = allowed(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((kept.as_str(), after), ("0", before));
        assert!(keep_to_core(u32::MAX / 2, 0).is_err());
    }
}
