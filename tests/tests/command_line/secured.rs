//! The same commands to an agent behind TLS, or in the file system, by both programs.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use chancery_tests::{Agent, AgentHome, AgentKind, TlsFront, chancery_binary, consul_binary};

/// Words of the form `NAME=value` are environment. `ADDRESS` is the terminator's host and port,
/// `DIR` the folder with its files.
fn run(program: &Path, front: &TlsFront, line: &str) -> Output {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null());
    let folder = front.file("");
    let address = front.address().to_string();
    for word in line.split_whitespace() {
        let word = word
            .replace("ADDRESS", &address)
            .replace("DIR/", &folder.display().to_string());
        match word.split_once('=') {
            Some((name, value)) if !name.starts_with('-') => command.env(name, value),
            _ => command.arg(word),
        };
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_answered(front: &TlsFront, line: &str) {
    for program in [chancery_binary().unwrap(), consul_binary().unwrap()] {
        let output = run(program, front, line);
        let program = program.display();
        assert!(output.status.success(), "{program} {line}: {output:?}");
        assert_eq!(text(&output.stdout), "dc1\n", "{program} {line}");
        assert_eq!(text(&output.stderr), "", "{program} {line}");
    }
}

/// Both fail with the same words, the last of which are these.
fn assert_refused(front: &TlsFront, line: &str, why: &str) {
    let [ours, consuls] = refusals(front, line);
    assert!(ours.trim_end().ends_with(why), "{line}: {ours}");
    let consuls = consuls
        .replace("Consul agent", "the agent")
        // Go says so when its reader hears of the refusal before its writer does.
        .replace("readLoopPeekFailLocked: ", "");
    assert_eq!(ours, consuls, "{line}");
}

/// Both fail, and ours in one line that ends so.
fn assert_refused_otherwise(front: &TlsFront, line: &str, why: &str) {
    let [ours, consuls] = refusals(front, line);
    assert!(ours.trim_end().ends_with(why), "{line}: {ours}");
    assert_eq!(ours.lines().count(), 1, "{line}: {ours}");
    assert_ne!(ours, consuls, "{line}");
}

/// What both say on standard error when they fail.
fn refusals(front: &TlsFront, line: &str) -> [String; 2] {
    [chancery_binary().unwrap(), consul_binary().unwrap()].map(|program| {
        let output = run(program, front, line);
        let program = program.display();
        assert_eq!(output.status.code(), Some(1), "{program} {line}");
        assert_eq!(text(&output.stdout), "", "{program} {line}");
        text(&output.stderr)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_behind_tls_is_asked_by_flags_or_environment() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let front = TlsFront::start(agent.http(), "127.0.0.1", false).await;
    let front = front.unwrap();
    for line in [
        "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/ca.pem",
        "catalog datacenters -http-addr=https://ADDRESS -ca-path=DIR/cas",
        "CONSUL_CACERT=DIR/ca.pem catalog datacenters -http-addr=https://ADDRESS",
        "CONSUL_CAPATH=DIR/cas CONSUL_HTTP_ADDR=https://ADDRESS catalog datacenters",
        "CONSUL_HTTP_SSL=true CONSUL_CACERT=DIR/ca.pem CONSUL_HTTP_ADDR=ADDRESS \
         catalog datacenters",
        "CONSUL_HTTP_SSL_VERIFY=false catalog datacenters -http-addr=https://ADDRESS",
        "CONSUL_CACERT=DIR/stranger.pem catalog datacenters -http-addr=https://ADDRESS \
         -ca-file=DIR/ca.pem",
    ] {
        assert_answered(&front, line);
    }
    for line in [
        "CHANCERY_HTTP_SSL=1 CHANCERY_CACERT=DIR/ca.pem CHANCERY_HTTP_ADDR=ADDRESS \
         catalog datacenters",
        "CHANCERY_HTTP_SSL_VERIFY=0 CHANCERY_HTTP_ADDR=https://ADDRESS catalog datacenters",
        "CHANCERY_CACERT=DIR/ca.pem CONSUL_CACERT=DIR/stranger.pem \
         CHANCERY_HTTP_ADDR=https://ADDRESS catalog datacenters",
    ] {
        let output = run(chancery_binary().unwrap(), &front, line);
        assert!(output.status.success(), "{line}: {output:?}");
        assert_eq!(text(&output.stdout), "dc1\n", "{line}");
    }
    for (line, why) in [
        (
            "catalog datacenters -http-addr=https://ADDRESS",
            "x509: certificate signed by unknown authority",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/stranger.pem",
            "x509: certificate signed by unknown authority",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/ca.pem \
             -tls-server-name=other.test",
            "x509: certificate is not valid for any names, but wanted to match other.test",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/none.pem",
            "none.pem: no such file or directory",
        ),
    ] {
        assert_refused(&front, line, why);
    }
    for (line, why) in [
        (
            "catalog datacenters -http-addr=http://ADDRESS",
            "malformed HTTP response, as of a server that speaks https",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/client.key",
            "no certificate in the CA files",
        ),
    ] {
        assert_refused_otherwise(&front, line, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_behind_mutual_tls_wants_the_clients_certificate_and_its_own_name() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let front = TlsFront::start(agent.http(), "agent.test", true).await;
    let front = front.unwrap();
    for line in [
        "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/ca.pem \
         -tls-server-name=agent.test -client-cert=DIR/client.pem -client-key=DIR/client.key",
        "CONSUL_TLS_SERVER_NAME=agent.test CONSUL_CLIENT_CERT=DIR/client.pem \
         CONSUL_CLIENT_KEY=DIR/client.key CONSUL_CACERT=DIR/ca.pem \
         CONSUL_HTTP_ADDR=https://ADDRESS catalog datacenters",
    ] {
        assert_answered(&front, line);
    }
    for (line, why) in [
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/ca.pem \
             -tls-server-name=agent.test",
            "remote error: tls: certificate required",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -ca-file=DIR/ca.pem \
             -client-cert=DIR/client.pem -client-key=DIR/client.key",
            "x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
        ),
        (
            "catalog datacenters -http-addr=https://ADDRESS -client-cert=DIR/client.pem",
            "both client cert and client key must be provided",
        ),
    ] {
        assert_refused(&front, line, why);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_without_tls_is_told_apart_from_one_that_is_gone() {
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    let front = TlsFront::start(agent.http(), "127.0.0.1", false).await;
    let front = front.unwrap();
    let line = format!("catalog datacenters -http-addr=https://{}", agent.http());
    assert_refused(
        &front,
        &line,
        "http: server gave HTTP response to HTTPS client",
    );
}

#[tokio::test]
async fn an_agent_listens_in_the_file_system_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("http.sock");
    let settings = format!(
        "addresses {{ http = \"127.0.0.1 unix://{}\" }}\nunix_sockets {{ mode = \"0660\" }}",
        path.display()
    );
    let home = AgentHome::with_settings(&settings).unwrap();
    // One that is killed leaves its socket behind, and the next one takes its place.
    home.start().await.unwrap().kill().await.unwrap();
    assert!(path.exists());
    let mut agent = home.start().await.unwrap();
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o660);
    for program in [chancery_binary().unwrap(), consul_binary().unwrap()] {
        for line in [
            "catalog datacenters",
            "services register -name=by-socket -port=8080",
            "intention create web db",
            "intention delete web db",
        ] {
            let output = Command::new(program)
                .env_clear()
                .env("CONSUL_HTTP_ADDR", format!("unix://{}", path.display()))
                .args(line.split_whitespace())
                .output()
                .unwrap();
            let program = program.display();
            assert!(output.status.success(), "{program} {line}: {output:?}");
        }
    }
    let second = AgentHome::with_settings(&settings).unwrap();
    let refused = second.start().await.unwrap_err().to_string();
    assert!(refused.contains("address in use"), "{refused}");
    agent.process().interrupt().unwrap();
    agent.process_mut().wait_exit(SOON).await.unwrap();
    assert!(!path.exists());
}

const SOON: Duration = Duration::from_secs(20);
