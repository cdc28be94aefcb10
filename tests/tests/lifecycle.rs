//! An agent's life as an operator sees it: it stops when it is told to and answers everybody
//! who waits; it says in one line why it cannot start; trouble around it costs no stored state;
//! and no secret of it is anywhere but sealed in its store.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_tests::{AgentHome, Process, RunningAgent, chancery_binary, eventually, free_port};
use reqwest::StatusCode;
use serde_json::{Value, json};

/// What the agent promises to need at most after a signal.
const STOPPING: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug)]
enum Stop {
    Interrupt,
    Terminate,
}

#[tokio::test]
async fn an_interrupted_agent_answers_all_who_wait_and_ends_with_0() {
    assert_stops(Stop::Interrupt).await;
}

#[tokio::test]
async fn a_terminated_agent_answers_all_who_wait_and_ends_with_0() {
    assert_stops(Stop::Terminate).await;
}

async fn assert_stops(how: Stop) {
    let home = AgentHome::new().unwrap();
    let mut agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    intend(&agent, "web").await;
    let mut waiting = Vec::new();
    for path in [
        "/v1/connect/ca/roots",
        "/v1/agent/connect/ca/roots",
        "/v1/connect/intentions",
        "/v1/agent/connect/ca/leaf/web",
        "/v1/catalog/nodes",
    ] {
        for _ in 0..2 {
            let api = agent.api();
            let seen = api.call("GET", path, None).await.unwrap().index.unwrap();
            let query = format!("{path}?index={seen}&wait=60s");
            waiting.push(tokio::spawn(
                async move { api.call("GET", &query, None).await },
            ));
        }
    }
    // A query that waits has sent all it will: only then is it known to be with the agent.
    let http = agent.http();
    eventually(LONG, async || {
        let open = established_towards(http.port());
        (open >= waiting.len()).then_some(()).ok_or(open)
    })
    .await
    .unwrap();
    // No query that the agent would answer at once is among them.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(waiting.iter().all(|query| !query.is_finished()));
    let told = Instant::now();
    match how {
        Stop::Interrupt => agent.process().interrupt().unwrap(),
        Stop::Terminate => agent.process().terminate().unwrap(),
    }
    let status = agent.process_mut().wait_exit(LONG).await.unwrap();
    let elapsed = told.elapsed();
    assert_eq!(status.code(), Some(0), "{}", agent.process().output());
    assert!(elapsed < STOPPING, "{how:?} took {elapsed:?}");
    for query in waiting {
        let answer = query.await.unwrap().unwrap();
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
    assert_eq!(agent.process().errors(), "");
    TcpListener::bind(http).unwrap();
}

/// Connections to `port` on loopback that are open, from the kernel's table.
fn established_towards(port: u16) -> usize {
    let wanted = format!("0100007F:{port:04X}");
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let lines = table.lines().skip(1);
    lines
        .filter(|line| {
            let mut fields = line.split_whitespace().skip(2);
            fields.next() == Some(&wanted) && fields.next() == Some("01")
        })
        .count()
}

/// Runs our program to its end, which must be a refusal, and returns the only line that it
/// says on standard error.
async fn refusal(command: Command) -> String {
    let mut process = Process::spawn("chancery", command).unwrap();
    let status = process.wait_exit(LONG).await.unwrap();
    let errors = process.errors();
    assert!(
        matches!(status.code(), Some(1..)),
        "{status} {}",
        process.output()
    );
    assert_eq!(errors.trim_end().lines().count(), 1, "{errors}");
    errors
}

fn agent_with(arguments: &[&str]) -> Command {
    let mut command = Command::new(chancery_binary().unwrap());
    command.arg("agent").args(arguments);
    command
}

#[tokio::test]
async fn a_port_in_use_is_named_in_one_line() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let said = refusal(agent_with(&["-dev", &format!("-http-port={port}")])).await;
    assert!(said.contains(&format!("127.0.0.1:{port}")), "{said}");
    assert!(said.contains("in use"), "{said}");
}

#[tokio::test]
async fn a_bad_flag_is_named_in_one_line() {
    let said = refusal(agent_with(&["-dev", "-bogus"])).await;
    assert_eq!(said, "flag provided but not defined: -bogus\n");
    let said = refusal(agent_with(&["-dev", "-http-port=many"])).await;
    assert!(
        said.contains("\"many\"") && said.contains("-http-port"),
        "{said}"
    );
}

#[tokio::test]
async fn a_configuration_file_that_cannot_be_read_is_named_in_one_line() {
    let home = AgentHome::new().unwrap();
    let absent = home.path().join("absent.hcl");
    // Permissions do not bind root: a link to itself does.
    let circle = home.path().join("circle.hcl");
    std::os::unix::fs::symlink(&circle, &circle).unwrap();
    let latin = home.path().join("latin.hcl");
    fs::write(&latin, b"node_name = \"\xe9\"").unwrap();
    for file in [&absent, &circle, &latin] {
        let said = refusal(agent_with(&["-config-file", file.to_str().unwrap()])).await;
        assert!(said.contains(file.to_str().unwrap()), "{said}");
    }
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_are_reported_at_once() {
    let home = AgentHome::with_settings("datacentre = \"dc1\"\nlog_level = \"LOUD\"\n").unwrap();
    let mut process = Process::spawn("chancery", home.command().unwrap()).unwrap();
    let status = process.wait_exit(LONG).await.unwrap();
    let errors = process.errors();
    assert_eq!(status.code(), Some(1));
    for part in ["datacentre", "datacenter", "log_level", "LOUD"] {
        assert!(errors.contains(part), "{part} is missing in {errors}");
    }
    assert!(
        !home.data_dir().exists(),
        "nothing is made before all is right"
    );
}

#[tokio::test]
async fn a_data_directory_that_is_not_its_own_is_refused_in_one_line() {
    let home = AgentHome::new().unwrap();
    fs::create_dir(home.data_dir()).unwrap();
    set_mode(&home.data_dir(), 0o755);
    let said = refusal(home.command().unwrap()).await;
    assert!(
        said.contains("0755") && said.contains("chmod 700"),
        "{said}"
    );
    set_mode(&home.data_dir(), 0o700);
    let agent = home.start().await.unwrap();
    let said = refusal(home.command().unwrap()).await;
    let holder = format!("in use by another agent (process {})", agent.process().id());
    assert!(said.contains(&holder), "{said}");
    // The first one is none the worse for it.
    agent.wait_for_root().await.unwrap();
}

#[tokio::test]
async fn a_store_without_its_seal_key_is_refused_and_left_as_it_is() {
    let home = AgentHome::new().unwrap();
    let agent = home.start().await.unwrap();
    let roots = agent.wait_for_root().await.unwrap();
    agent.kill().await.unwrap();
    let (key, aside) = (home.data_dir().join("seal.key"), home.path().join("aside"));
    fs::rename(&key, &aside).unwrap();
    let said = refusal(home.command().unwrap()).await;
    assert!(said.contains("seal.key is missing"), "{said}");
    assert!(
        !key.exists(),
        "a new key would hide that the old one is gone"
    );
    fs::rename(&aside, &key).unwrap();
    let agent = home.start().await.unwrap();
    assert_eq!(agent.wait_for_root().await.unwrap(), roots);
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_refused_in_one_line() {
    // Permissions do not bind root: a kernel's directory does.
    let mut command = agent_with(&["-data-dir=/proc/chancery", "-server", "-bootstrap"]);
    command.arg(format!("-http-port={}", free_port().unwrap()));
    let said = refusal(command).await;
    assert!(said.contains("/proc/chancery"), "{said}");
}

#[tokio::test]
async fn an_agent_out_of_descriptors_serves_again_when_there_are_some() {
    let home = AgentHome::new().unwrap();
    let agent = RunningAgent::start(limited("ulimit -n 48", &home))
        .await
        .unwrap();
    agent.wait_for_root().await.unwrap();
    intend(&agent, "before").await;
    let held: Vec<_> = (0..100)
        .map(|_| std::net::TcpStream::connect(agent.http()).unwrap())
        .collect();
    agent
        .process()
        .wait_printed("could not be accepted", LONG)
        .await
        .unwrap();
    drop(held);
    eventually(LONG, async || {
        agent.get("/v1/connect/intentions").await.map(drop)
    })
    .await
    .unwrap();
    intend(&agent, "after").await;
    agent.kill().await.unwrap();
    assert_eq!(
        sources(&home.start().await.unwrap()).await,
        ["after", "before"]
    );
}

#[tokio::test]
async fn a_full_disk_stops_writes_and_loses_nothing_acknowledged() {
    let home = AgentHome::new().unwrap();
    drop(home.start().await.unwrap().wait_for_root().await.unwrap());
    // The limit on a file's size is the full disk that needs no mounting: writing fails.
    let limited = limited("trap '' XFSZ; ulimit -f 600", &home);
    let agent = RunningAgent::start(limited).await.unwrap();
    let mut acknowledged = Vec::new();
    let refused = loop {
        let name = format!("n{:04}", acknowledged.len());
        let mut wanted = intention(&name);
        wanted["Description"] = json!("x".repeat(500));
        let api = agent.api();
        let answer = api
            .call("POST", "/v1/connect/intentions", Some(&wanted))
            .await;
        let answer = answer.unwrap();
        if !answer.status.is_success() {
            break answer;
        }
        acknowledged.push(name);
        assert!(acknowledged.len() < 5_000, "the limit was never reached");
    };
    assert_eq!(
        refused.status,
        StatusCode::SERVICE_UNAVAILABLE,
        "{refused:?}"
    );
    assert!(refused.text.contains("restart the agent"), "{refused:?}");
    // What was acknowledged is still read, and nothing of what was refused.
    assert_eq!(sources(&agent).await, acknowledged);
    agent.kill().await.unwrap();
    let found = sources(&home.start().await.unwrap()).await;
    // The refused one may have become durable all the same: its outcome is unknown.
    assert_eq!(found[..acknowledged.len()], acknowledged);
    assert!(found.len() <= acknowledged.len() + 1);
}

#[tokio::test]
async fn a_paused_agent_goes_on_where_it_was() {
    let home = AgentHome::new().unwrap();
    let agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    agent.process().pause().await.unwrap();
    let api = agent.api();
    let wanted = intention("web");
    let asked = tokio::spawn(async move {
        api.call("POST", "/v1/connect/intentions", Some(&wanted))
            .await
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!asked.is_finished());
    agent.process().resume().unwrap();
    assert!(asked.await.unwrap().unwrap().status.is_success());
    assert_eq!(sources(&agent).await, ["web"]);
}

#[tokio::test]
async fn a_hangup_ends_nothing() {
    let home = AgentHome::new().unwrap();
    let agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    agent.process().hang_up().unwrap();
    let said = agent
        .process()
        .wait_printed("services were read again", Duration::from_secs(10));
    said.await.unwrap();
    assert!(sources(&agent).await.is_empty());
}

#[tokio::test]
async fn no_secret_is_in_output_arguments_or_in_clear_in_the_store() {
    let home = AgentHome::with_settings("log_level = \"TRACE\"").unwrap();
    let mut agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    let mut canaries = Vec::new();
    for service in ["web", "db", "cache"] {
        let path = format!("/v1/agent/connect/ca/leaf/{service}");
        let leaf = agent.get(&path).await.unwrap();
        let pem = leaf["PrivateKeyPEM"].as_str().unwrap().to_owned();
        canaries.extend(
            pem.lines()
                .filter(|line| line.len() > 40)
                .map(str::to_owned),
        );
        intend(&agent, service).await;
    }
    assert!(canaries.len() >= 6, "{}", canaries.len());
    let key = fs::read_to_string(home.data_dir().join("seal.key")).unwrap();
    canaries.push(key.trim().to_owned());
    let process = format!("/proc/{}", agent.process().id());
    let arguments = fs::read(format!("{process}/cmdline")).unwrap();
    agent.process().terminate().unwrap();
    agent.process_mut().wait_exit(LONG).await.unwrap();
    let output = agent.process().output();
    let store = fs::read(home.data_dir().join("chancery.redb")).unwrap();
    canaries.push("PRIVATE KEY".to_owned());
    for canary in &canaries {
        for (place, bytes) in [
            ("output", output.as_bytes()),
            ("arguments", &arguments),
            ("store", &store),
        ] {
            assert!(
                !contains(bytes, canary.as_bytes()),
                "a secret is in the {place}"
            );
        }
    }
    // How a P-256 key starts in SEC 1 and, behind a head, in PKCS#8: as it is, and as JSON has it.
    for start in [
        &b"\x02\x01\x01\x04\x20"[..],
        b"2,1,1,4,32,",
        b"MHcCAQEEI",
        b"AwEHBG0wawIBAQQg",
    ] {
        assert!(!contains(&store, start), "the CA's key lies open");
    }
    // The search finds what is there: intentions are no secret.
    assert!(contains(&store, b"cache"));
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// The agent of `home` under a limit that a shell sets first.
fn limited(limit: &str, home: &AgentHome) -> Command {
    let agent = home.command().unwrap();
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(format!("{limit}; exec \"$@\""))
        .arg("sh")
        .arg(agent.get_program())
        .args(agent.get_args());
    command
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn intention(source: &str) -> Value {
    json!({"SourceName": source, "DestinationName": "db", "Action": "allow"})
}

async fn intend(agent: &RunningAgent, source: &str) {
    let path = "/v1/connect/intentions";
    agent.post(path, &intention(source)).await.unwrap();
}

/// The sources of all intentions, in order.
async fn sources(agent: &RunningAgent) -> Vec<String> {
    let list = agent.get("/v1/connect/intentions").await.unwrap();
    let rows = list.as_array().unwrap().iter();
    let name = |row: &Value| row["SourceName"].as_str().unwrap().to_owned();
    let mut names: Vec<_> = rows.map(name).collect();
    names.sort_unstable();
    names
}
