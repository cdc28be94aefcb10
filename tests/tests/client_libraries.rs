//! Programs with the client libraries that people have, py-consul and npm's `consul`, see the
//! same of our agent as of a real Consul 1.8.7: whatever they print, line by line.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::process::Command;
use std::time::Duration;

use chancery_tests::{Agent, AgentKind, Process, npm_consul, py_consul};

/// A program waits 20 s at most for anything, and for little.
const LONG: Duration = Duration::from_secs(120);

#[tokio::test]
async fn a_program_with_py_consul_sees_what_it_sees_of_consul() {
    assert_sees_the_same(30, || {
        let mut command = Command::new("python3");
        command.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/py_consul.py"
        ));
        command.env("PYTHONPATH", py_consul().unwrap());
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    })
    .await;
}

#[tokio::test]
async fn a_program_with_npms_consul_sees_what_it_sees_of_consul() {
    assert_sees_the_same(20, || {
        let mut command = Command::new("node");
        command.arg(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/clients/npm_consul.js"
        ));
        command.env("NODE_PATH", npm_consul().unwrap());
        command
    })
    .await;
}

async fn assert_sees_the_same(lines: usize, program: impl Fn() -> Command) {
    let (theirs, ours) = tokio::join!(
        said(AgentKind::Consul, program()),
        said(AgentKind::Chancery, program())
    );
    assert_eq!(ours, theirs);
    assert!(theirs.lines().count() >= lines, "{theirs}");
}

/// What the program says of a fresh agent.
async fn said(kind: AgentKind, mut program: Command) -> String {
    let agent = Agent::start_named(kind, "n1").await.unwrap();
    program.arg(agent.http().port().to_string());
    let mut process = Process::spawn("client", program).unwrap();
    let status = process.wait_exit(LONG).await.unwrap();
    assert_eq!(status.code(), Some(0), "{kind:?}:\n{}", process.output());
    process.output()
}
