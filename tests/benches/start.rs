//! How soon after its start a development agent answers, and what it takes when idle.
//!
//! `cargo bench -p chancery-tests --bench start`. Without `--bench` (as `cargo test` runs it)
//! ours is started once, and nothing is judged.
//!
//! The time runs from the start of the process to the end of the first answer with roots to
//! `GET /v1/agent/connect/ca/roots`, asked for every millisecond.

use std::error::Error;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use chancery_tests::{AgentKind, Goals, Process, median, resident};

type Outcome<T> = Result<T, Box<dyn Error>>;

const PATIENCE: Duration = Duration::from_secs(20);
const STEP: Duration = Duration::from_millis(1);
/// How long an agent is left alone before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(2);
const MIB: f64 = 1024.0 * 1024.0;

fn main() -> Outcome<()> {
    let full = std::env::args().any(|argument| argument == "--bench");
    let (rounds, kinds): (_, &[_]) = if full {
        (10, &[AgentKind::Chancery, AgentKind::Consul])
    } else {
        (1, &[AgentKind::Chancery])
    };
    let mut times = vec![Vec::new(); kinds.len()];
    let mut memory = Vec::new();
    for round in 1..=rounds {
        for (kind, times) in kinds.iter().zip(&mut times) {
            let (time, process) = start(*kind)?;
            times.push(time.as_secs_f64() * 1e3);
            if round == rounds {
                sleep(SETTLING);
                memory.push(resident(process.id())? as f64 / MIB);
            }
        }
    }
    println!("a development agent, medians of {rounds} rounds");
    println!("{:<12}{:>22}{:>14}", "", "first roots (ms)", "idle (MiB)");
    for ((kind, times), memory) in kinds.iter().zip(&times).zip(&memory) {
        let (name, time) = (format!("{kind:?}").to_lowercase(), median(times));
        println!("{name:<12}{time:>22.1}{memory:>14.1}");
    }
    if !full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
        return Ok(());
    }
    let mut goals = Goals::new();
    if let ([times, ..], [memory, ..]) = (times.as_slice(), memory.as_slice()) {
        goals.at_most("first answer after the start (ms)", median(times), 100.0);
        goals.at_most("idle memory (MiB)", *memory, 20.0);
    }
    println!("{goals}");
    Ok(())
}

fn start(kind: AgentKind) -> Outcome<(Duration, Process)> {
    let (port, command) = kind.command()?;
    let begin = Instant::now();
    let process = Process::spawn("agent", command)?;
    loop {
        if roots(port).is_some_and(|answer| answer.contains("\"RootCert\"")) {
            return Ok((begin.elapsed(), process));
        }
        if begin.elapsed() > PATIENCE {
            return Err(format!("no roots within {PATIENCE:?}: {}", process.output()).into());
        }
        sleep(STEP);
    }
}

fn roots(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!(
        "GET /v1/agent/connect/ca/roots HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.starts_with("HTTP/1.1 200").then_some(answer)
}
