//! Things that come and go, and what is left of them.

use std::fs;
use std::io::{self, Write as _};
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

use chancery_tests::{Goals, private};
use serde_json::json;

use crate::candidate::{Candidate, Kind};
use crate::leafs::lift_limits;
use crate::load::{Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

const CONNECTIONS: usize = 8;
/// What comes and goes in a round.
const SERVICES: usize = 100;
const WATCHERS: usize = 100;
const STRANGERS: usize = 1_000;
/// More than the leafs that are kept of services that are not registered.
const KEPT_LEAFS: usize = 9_000;
/// How long a round takes at least, so that the machine has other things to do.
const ROUND: Duration = Duration::from_secs(5);
/// How long the agent may take to notice that everybody has left.
const PATIENCE: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(100);
/// By how much the allocator's needs go up and down while leafs come and go.
const GROWTH: f64 = 8.0;
const MINUTE: Duration = Duration::from_secs(60);
const MIB: f64 = 1_048_576.0;

/// What an agent holds while nobody asks it for anything.
#[derive(Clone, Copy)]
struct Held {
    tasks: f64,
    files: usize,
    sockets: usize,
    memory: f64,
}

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let candidate = Candidate::start(Kind::Chancery)?;
    lift_limits(&candidate)?;
    let services = options.count(SERVICES, 5);
    // As many leafs as are kept of services that are gone: from then on, no more are.
    drive(
        candidate.http,
        CONNECTIONS,
        Until::Count(options.count(KEPT_LEAFS, 10)),
        &|number| leaf(&format!("filler-{number}")),
    )?;
    let length = MINUTE * if options.full { options.minutes } else { 0 };
    println!("{services} services, {WATCHERS} watchers and {STRANGERS} strangers that come and go");
    println!(
        "{:>7}{:>9}{:>9}{:>9}{:>9}{:>14}",
        "minute", "rounds", "tasks", "files", "sockets", "memory (MiB)"
    );
    let begin = Instant::now();
    let (mut rounds, mut readings) = (0, Vec::new());
    loop {
        let next = begin.elapsed() + ROUND;
        come_and_go(&candidate, rounds, services)?;
        rounds += 1;
        let elapsed = begin.elapsed();
        if elapsed >= MINUTE * u32::try_from(readings.len())? || elapsed >= length {
            let held = settled(&candidate)?;
            readings.push(held);
            let minute = elapsed.as_secs() / 60;
            let Held {
                tasks,
                files,
                sockets,
                memory,
            } = held;
            println!("{minute:>7}{rounds:>9}{tasks:>9}{files:>9}{sockets:>9}{memory:>14.1}");
        }
        if elapsed >= length {
            break;
        }
        sleep(next.saturating_sub(begin.elapsed()));
    }
    // The first reading is after one round; from the second on, pools and caches are filled.
    if let [_, first, .., last] = readings.as_slice() {
        let minutes = options.minutes;
        let mut at_most = |what: &str, grown: f64, wanted: f64| {
            goals.at_most(&format!("{minutes} minutes: {what}"), grown, wanted);
        };
        at_most("more tasks", last.tasks - first.tasks, 0.0);
        at_most("more files", last.files as f64 - first.files as f64, 0.0);
        at_most("more memory (MiB)", last.memory - first.memory, GROWTH);
    }
    Ok(())
}

/// One round. No name comes twice.
fn come_and_go(candidate: &Candidate, round: usize, services: usize) -> Outcome<()> {
    let all = |count, ask: &(dyn Fn(usize) -> Vec<u8> + Sync)| {
        drive(candidate.http, CONNECTIONS, Until::Count(count), ask).map(drop)
    };
    let name = |number: usize| format!("soak-{round}-{number}");
    all(services, &|number| register(&name(number)))?;
    let index = candidate.ask("GET", "/v1/catalog/services", "")?.index;
    let mut watchers = Vec::new();
    for number in 0..WATCHERS {
        let name = name(number % services);
        watchers.push(watch(candidate, &name, index.unwrap_or(1))?);
    }
    all(services, &|number| leaf(&name(number)))?;
    all(STRANGERS, &|number| {
        let caller = format!("spiffe://a.consul/ns/default/dc/dc1/svc/of-{round}-{number}");
        let body = json!({"Target": name(number), "ClientCertURI": caller});
        request("POST", "/v1/agent/connect/authorize", &body.to_string())
    })?;
    all(services, &|number| {
        let path = format!("/v1/agent/check/pass/service:{}", name(number));
        request("PUT", &path, "")
    })?;
    for number in 0..services.min(10) {
        intend(candidate, &name(number))?;
    }
    // Every other watcher leaves without its answer; the others are woken by what comes.
    watchers.truncate(WATCHERS / 2);
    all(services, &|number| {
        let path = format!("/v1/agent/service/deregister/{}", name(number));
        request("PUT", &path, "")
    })?;
    Ok(())
}

fn register(name: &str) -> Vec<u8> {
    let body = json!({
        "Name": name, "Port": 8_080, "Check": {"TTL": "60s"},
        "Connect": {"SidecarService": {}},
    });
    request("PUT", "/v1/agent/service/register", &body.to_string())
}

fn leaf(name: &str) -> Vec<u8> {
    request("GET", &format!("/v1/agent/connect/ca/leaf/{name}"), "")
}

fn watch(candidate: &Candidate, name: &str, index: u64) -> io::Result<TcpStream> {
    let path = format!("/v1/health/service/{name}?index={index}&wait=600s");
    let mut stream = TcpStream::connect(candidate.http)?;
    stream.write_all(&request("GET", &path, ""))?;
    Ok(stream)
}

fn intend(candidate: &Candidate, name: &str) -> Outcome<()> {
    let path = "/v1/connect/intentions";
    let body = json!({"SourceName": name, "DestinationName": "db", "Action": "allow"});
    let made = candidate.ask("POST", path, &body.to_string())?;
    let made: serde_json::Value = serde_json::from_slice(&made.body)?;
    let id = made.get("ID").and_then(|id| id.as_str());
    candidate.ask("DELETE", &format!("{path}/{}", id.unwrap_or_default()), "")?;
    Ok(())
}

/// What is held once it is no longer getting less.
fn settled(candidate: &Candidate) -> Outcome<Held> {
    let begin = Instant::now();
    let mut last = held(candidate)?;
    let mut same = 0;
    while same < 10 && begin.elapsed() < PATIENCE {
        sleep(STEP);
        let now = held(candidate)?;
        let is_less = now.files < last.files || now.tasks < last.tasks;
        same = if is_less { 0 } else { same + 1 };
        last = now;
    }
    Ok(last)
}

fn held(candidate: &Candidate) -> Outcome<Held> {
    let metrics = candidate.ask("GET", "/v1/agent/metrics?format=prometheus", "")?;
    let metrics = String::from_utf8(metrics.body)?;
    let tasks = metrics
        .lines()
        .find_map(|line| line.strip_prefix("chancery_tasks "))
        .ok_or("no tasks among the metrics")?;
    let (mut files, mut sockets) = (0, 0);
    for file in fs::read_dir(format!("/proc/{}/fd", candidate.process()))? {
        // It may be closed before it is looked at.
        let Ok(target) = fs::read_link(file?.path()) else {
            continue;
        };
        files += 1;
        sockets += usize::from(target.to_string_lossy().starts_with("socket:"));
    }
    Ok(Held {
        tasks: tasks.parse()?,
        files,
        sockets,
        memory: private(candidate.process())? as f64 / MIB,
    })
}
