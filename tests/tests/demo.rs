//! `chancery demo` as somebody runs it who has just cloned this: it tells its story, ends by
//! itself with 0, and leaves neither a process nor a listener behind. Three times, because a
//! story that is true now and then is none.

#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_tests::{Process, chancery_binary};

const LONGEST: Duration = Duration::from_secs(10);

/// What is told, in this order.
const STORY: [&str; 14] = [
    "1. An agent is up",
    "HTTP API         127.0.0.1:",
    "trust domain     spiffe://",
    "2. Two services are registered",
    "/ns/default/dc/dc1/svc/db",
    "/ns/default/dc/dc1/svc/web",
    "3. By default, traffic flows",
    "web → db         db heard \"hello\"",
    "4. An intention denies it",
    "open connection  cut,",
    "new connection   refused",
    "Matched intention: DENY default/* => default/db",
    "Matched intention: ALLOW default/web => default/db",
    "Done. Nothing is left running.",
];

#[tokio::test]
async fn the_demo_tells_its_story_and_leaves_nothing_three_times() {
    for _ in 0..3 {
        let mut command = Command::new(chancery_binary().unwrap());
        command.arg("demo").process_group(0);
        let started = Instant::now();
        let mut demo = Process::spawn("chancery demo", command).unwrap();
        let id = demo.id();
        assert_eq!(members_of(id).len(), 1);
        let status = demo.wait_exit(LONGEST).await.unwrap();
        assert!(status.success(), "{status}\n{}", demo.output());
        assert!(started.elapsed() < LONGEST, "{:?}", started.elapsed());
        assert_eq!(demo.errors(), "");
        let told = demo.output();
        assert_tells(&told);
        assert_eq!(members_of(id), Vec::<String>::new());
        let listener = TcpStream::connect(api_address(&told));
        assert!(listener.is_err(), "something still listens");
    }
}

fn assert_tells(told: &str) {
    let mut rest = told;
    for part in STORY {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part:?} is missing or out of order in\n{told}");
        };
        rest = after;
    }
}

fn api_address(told: &str) -> SocketAddr {
    let line = told.lines().find(|line| line.contains("HTTP API"));
    let address = line.and_then(|line| line.split_whitespace().last());
    address.and_then(|address| address.parse().ok()).unwrap()
}

/// The living processes of the group that the demo was given: who is left when it has ended.
fn members_of(group: u32) -> Vec<String> {
    let mut members = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else {
            continue;
        };
        // `pid (name) state parent group …`
        let after = stat.rsplit(')').next().unwrap_or_default();
        if after.split_whitespace().nth(2) == Some(&group.to_string()) {
            members.push(stat);
        }
    }
    members
}
