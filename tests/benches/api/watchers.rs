//! Blocking queries: how soon all are answered, what each takes, and whom an event wakes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_tests::{Goals, private};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::candidate::{Candidate, Kind};
use crate::wire::request;
use crate::{Options, Outcome};

/// How long the agent is left alone before its memory is looked at, and before nobody is
/// believed to have been woken.
const SETTLING: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections that are being opened at the same time; the kernel's queue is not endless.
const AT_ONCE: usize = 100;

struct Found {
    /// From the write to the last answer, in milliseconds.
    last: f64,
    /// The memory of each, in bytes.
    memory: f64,
}

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    println!("blocking queries for one key");
    println!(
        "{:<20}{:>10}{:>16}{:>12}{:>12}",
        "", "watchers", "last (ms)", "each (B)", "disturbed"
    );
    for kind in options.kinds {
        let watchers = match kind {
            Kind::Chancery => options.count(10_000, 200),
            Kind::Consul => options.count(1_000, 100),
        };
        let candidate = Candidate::start(*kind)?;
        let Found { last, memory } = watch(&candidate, watchers)?;
        let disturbed = disturb(&candidate, options.count(1_000, 100))?;
        let name = kind.name();
        println!("{name:<20}{watchers:>10}{last:>16.0}{memory:>12.0}{disturbed:>12}");
        if *kind == Kind::Chancery {
            goals.at_most("10,000 watchers: last answer (ms)", last, 300.0);
            goals.at_most(
                "10,000 watchers: memory of each (KiB)",
                memory / 1024.0,
                8.0,
            );
            goals.at_most("watchers woken by another key", disturbed as f64, 0.0);
        }
    }
    Ok(())
}

/// How soon the watchers of one key are all answered.
#[tokio::main(flavor = "current_thread")]
async fn watch(candidate: &Candidate, watchers: usize) -> Outcome<Found> {
    intend(candidate, "first", "watched")?;
    let before = private(candidate.process())?;
    let mut crowd = Crowd::gather(candidate, watchers).await?;
    let memory = private(candidate.process())?.saturating_sub(before) as f64 / watchers as f64;
    let begin = Instant::now();
    intend(candidate, "second", "watched")?;
    let mut last = begin;
    while let Some(done) = crowd.watching.join_next().await {
        last = last.max(done??);
    }
    let last = last.duration_since(begin).as_secs_f64() * 1e3;
    Ok(Found { last, memory })
}

/// How many of so many watchers a write for another key wakes.
#[tokio::main(flavor = "current_thread")]
async fn disturb(candidate: &Candidate, watchers: usize) -> Outcome<usize> {
    let crowd = Crowd::gather(candidate, watchers).await?;
    intend(candidate, "first", "another")?;
    tokio::time::sleep(SETTLING).await;
    Ok(crowd.answered.load(Ordering::Relaxed))
}

/// Watchers of one key, all of which have asked.
struct Crowd {
    watching: JoinSet<io::Result<Instant>>,
    answered: Arc<AtomicUsize>,
}

impl Crowd {
    async fn gather(candidate: &Candidate, watchers: usize) -> Outcome<Self> {
        let index = candidate.ask("GET", &path("watched", None), "")?.index;
        let asked = Arc::new(request("GET", &path("watched", index), ""));
        let answered = Arc::new(AtomicUsize::new(0));
        let (mut opening, mut watching) = (JoinSet::new(), JoinSet::new());
        for _ in 0..watchers {
            if opening.len() == AT_ONCE {
                begin_waiting(&mut opening, &mut watching, &answered).await?;
            }
            opening.spawn(open(candidate.http, Arc::clone(&asked)));
        }
        while !opening.is_empty() {
            begin_waiting(&mut opening, &mut watching, &answered).await?;
        }
        tokio::time::sleep(SETTLING).await;
        Ok(Self { watching, answered })
    }
}

/// Turns one that has asked into one that waits.
async fn begin_waiting(
    opening: &mut JoinSet<io::Result<TcpStream>>,
    watching: &mut JoinSet<io::Result<Instant>>,
    answered: &Arc<AtomicUsize>,
) -> Outcome<()> {
    if let Some(stream) = opening.join_next().await {
        watching.spawn(answer(stream??, Arc::clone(answered)));
    }
    Ok(())
}

async fn open(target: SocketAddr, request: Arc<Vec<u8>>) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(target).await?;
    stream.write_all(&request).await?;
    Ok(stream)
}

/// Waits for the first bytes of an answer.
async fn answer(mut stream: TcpStream, answered: Arc<AtomicUsize>) -> io::Result<Instant> {
    let mut head = [0; 12];
    let read = tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await;
    read.map_err(io::Error::other)??;
    let at = Instant::now();
    if !head.ends_with(b"200") {
        let head = String::from_utf8_lossy(&head);
        return Err(io::Error::other(format!("answered with {head}")));
    }
    answered.fetch_add(1, Ordering::Relaxed);
    Ok(at)
}

fn intend(candidate: &Candidate, source: &str, destination: &str) -> Outcome<()> {
    let body = json!({"SourceName": source, "DestinationName": destination, "Action": "allow"});
    candidate.ask("POST", "/v1/connect/intentions", &body.to_string())?;
    Ok(())
}

fn path(destination: &str, index: Option<u64>) -> String {
    let path = format!("/v1/connect/intentions/match?by=destination&name={destination}");
    match index {
        Some(index) => format!("{path}&index={index}&wait=600s"),
        None => path,
    }
}
