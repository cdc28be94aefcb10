//! What a process takes of the machine, as Linux counts it.

use std::fs;
use std::io;
use std::time::Duration;

/// The clock ticks a second that Linux reports times in, whatever its timer does.
const TICKS: u64 = 100;

/// The memory that a process has in RAM, in bytes (`VmRSS`).
///
/// # Errors
/// When there is no such process.
pub fn resident(process: u32) -> io::Result<u64> {
    status(process, "VmRSS:")
}

/// The part of it that holds the process' own data and no file (`RssAnon`). The rest, most of
/// it the program, is in RAM once for all processes that run the same program.
///
/// # Errors
/// When there is no such process.
pub fn private(process: u32) -> io::Result<u64> {
    status(process, "RssAnon:")
}

fn status(process: u32, field: &str) -> io::Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))?;
    text.lines()
        .find_map(|line| line.strip_prefix(field))
        .and_then(|rest| rest.split_whitespace().next())
        .and_then(|kibibytes| kibibytes.parse::<u64>().ok())
        .map(|kibibytes| kibibytes * 1024)
        .ok_or_else(|| io::Error::other(format!("no {field} in the status of the process")))
}

/// The processor time that a process has used, to a hundredth of a second.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(process: u32) -> io::Result<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field is the program's name in brackets and may contain anything.
    let after_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: Vec<u64> = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    let [user, system] = ticks.as_slice() else {
        return Err(io::Error::other("no times in the stat of the process"));
    };
    Ok(Duration::from_millis((user + system) * 1000 / TICKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        let own = std::process::id();
        let (resident, private) = (resident(own).unwrap(), private(own).unwrap());
        assert!(private > 50_000 && private < resident);
        let start = std::time::Instant::now();
        while cpu_time(own).unwrap() < Duration::from_millis(20) {
            assert!(start.elapsed() < Duration::from_secs(20));
        }
    }

    #[test]
    fn no_process_has_neither() {
        assert!(resident(u32::MAX).is_err());
        assert!(cpu_time(u32::MAX).is_err());
    }
}
