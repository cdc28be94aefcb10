//! What an operator hears of a plugin: from the doctor, in the metrics of the agent that it signs
//! for, and from the commands that try it before.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{AgentHome, RunningAgent, chancery_binary, eventually, guest, hostile_guest};

const SOON: Duration = Duration::from_secs(60);

/// An agent for which a hostile plugin signs.
async fn agent(plugin: &str) -> (AgentHome, RunningAgent) {
    agent_with(plugin, "").await
}

/// The same with `more` in `ca_config`.
async fn agent_with(plugin: &str, more: &str) -> (AgentHome, RunningAgent) {
    let path = hostile_guest(plugin).await;
    let connect = format!("ca_provider = \"wasm\"\nca_config {{ path = {path:?}  {more} }}");
    let home = AgentHome::with_connect(&connect, "").unwrap();
    let agent = home.start().await.unwrap();
    agent.wait_for_root().await.unwrap();
    (home, agent)
}

/// What the metrics say of the plugin: of one family.
async fn counted(agent: &RunningAgent, family: &str) -> u64 {
    let url = format!("http://{}/v1/agent/metrics?format=prometheus", agent.http());
    let text = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = format!("chancery_plugin_{family}{{plugin=\"hostile\"}} ");
    let value = text.lines().find_map(|it| it.strip_prefix(&*line));
    value.expect(&text).parse().unwrap()
}

async fn leaf(agent: &RunningAgent, service: &str) -> bool {
    let path = format!("/v1/agent/connect/ca/leaf/{service}");
    agent.get(&path).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_doctor_shows_what_a_plugin_says_and_the_metrics_what_it_costs() {
    let (_home, agent) = agent("tells_too_much").await;
    assert!(leaf(&agent, "web").await);
    let calls = counted(&agent, "calls_total").await;
    assert!(calls > 0);
    for grown in ["call_microseconds_total", "instances_total", "memory_bytes"] {
        assert!(counted(&agent, grown).await > 0, "{grown}");
    }
    for never in ["traps_total", "timeouts_total", "http_requests_total"] {
        assert_eq!(counted(&agent, never).await, 0, "{never}");
    }
    let report = agent.get("/v1/chancery/doctor").await.unwrap().to_string();
    assert!(
        report.contains(r"plugin hostile: \\u{1b}[2Jroot CA"),
        "{report}"
    );
    assert!(report.contains("it has 84 more to say"), "{report}");
    let config = agent.http().to_string();
    let (code, out, err) = chancery(&["doctor", "-http-addr", &config]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.contains("plugin hostile: "), "{out}");
    let odd = out.chars().find(|it| it.is_control() && *it != '\n');
    assert_eq!(odd, None, "{out}");
    assert!(leaf(&agent, "db").await);
    assert!(counted(&agent, "calls_total").await > calls);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trap_is_counted() {
    let (_home, agent) = agent("traps_always").await;
    assert!(!leaf(&agent, "web").await);
    assert!(counted(&agent, "traps_total").await > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_plugin_is_denied_is_counted() {
    let (_home, agent) = agent("writes_while_signing").await;
    assert_eq!(counted(&agent, "denied_imports_total").await, 0);
    assert!(leaf(&agent, "web").await);
    let told = eventually(SOON, async || {
        match counted(&agent, "denied_imports_total").await {
            0 => Err("nothing was denied"),
            _ => Ok(()),
        }
    });
    told.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_goes_on_in_the_plugins_thread_is_counted() {
    let (_home, agent) = agent_with("never_returns", "timeout = \"100ms\"").await;
    assert_eq!(counted(&agent, "timeouts_total").await, 0);
    let before = counted(&agent, "moved_calls_total").await;
    assert!(!leaf(&agent, "web").await);
    assert!(counted(&agent, "timeouts_total").await > 0);
    assert!(counted(&agent, "moved_calls_total").await > before);
}

/// The question is one of the doctor; the metrics look at its findings too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn asking_a_plugin_how_it_is_counts_as_a_call() {
    let (_home, agent) = agent("traps_when_asked_how_it_is").await;
    assert!(leaf(&agent, "web").await);
    agent.get("/v1/chancery/doctor").await.unwrap();
    assert!(counted(&agent, "traps_total").await > 0);
    assert!(leaf(&agent, "db").await);
}

fn chancery(arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(chancery_binary().unwrap());
    let output = command.args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

fn plugin(command: &str, file: &Path, more: &[&str]) -> (i32, String, String) {
    let mut arguments = vec!["plugin", command];
    arguments.extend(more);
    arguments.push(file.to_str().unwrap());
    chancery(&arguments)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_succeed_with_a_good_plugin() {
    let local_ca = guest("local-ca").await;
    let (code, out, err) = plugin("inspect", &local_ca, &[]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    for said in ["local-ca", "chancery:ca@1.1.0", "cross-sign", "SHA-256"] {
        assert!(out.contains(said), "{out}");
    }
    let (code, out, _) = plugin("inspect", &local_ca, &["--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(code, 0);
    assert!(json.to_string().contains("\"1.1.0\""), "{json}");
    let (code, out, err) = plugin("test", &local_ca, &[]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    assert!(out.contains("checks, 0 failed"), "{out}");
    let (code, out, err) = plugin("test", &local_ca, &["--quiet"]);
    assert_eq!((code, &*out, &*err), (0, "", ""));
    let (code, out, err) = plugin("bench", &local_ca, &["--seconds", "1"]);
    assert_eq!((code, &*err), (0, ""), "{out}");
    for said in ["built-in CA", "fresh instances", "the plugin signs "] {
        assert!(out.contains(said), "{out}");
    }
    let as_json = ["--seconds", "1", "--format", "json"];
    let (code, out, err) = plugin("bench", &local_ca, &as_json);
    assert_eq!((code, &*err), (0, ""), "{out}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    for side in ["built_in", "plugin", "fresh_instance"] {
        for figure in ["per_second", "p50_us", "p99_us"] {
            assert!(json[side][figure].as_f64().unwrap() > 0.0, "{out}");
        }
    }
    for figure in ["plugin_percent", "load_ms"] {
        assert!(json[figure].as_f64().unwrap() > 0.0, "{out}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_say_what_is_wrong_with_a_bad_one() {
    let forger = hostile_guest("signs_another_identity").await;
    let (code, out, _) = plugin("test", &forger, &["--quiet"]);
    assert_eq!(code, 1);
    assert!(out.lines().count() > 1, "{out}");
    assert!(out.lines().all(|line| line.starts_with("FAIL  ")), "{out}");
    let (code, _, err) = plugin("bench", &forger, &["--seconds", "1"]);
    assert_eq!(code, 1);
    assert!(err.starts_with("Error"), "{err}");

    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("text.wasm");
    std::fs::write(&text, "(component)").unwrap();
    for command in ["inspect", "test", "bench"] {
        for (file, says) in [
            (
                text.clone(),
                "it is no WebAssembly file: it begins with (com",
            ),
            (folder.path().join("none.wasm"), "it cannot be read: "),
        ] {
            let (code, out, err) = plugin(command, &file, &[]);
            assert_eq!((code, &*out), (1, ""), "{command}: {err}");
            let begin = format!("Error loading the plugin: plugin {}: ", file.display());
            assert!(
                err.starts_with(&begin) && err.contains(says),
                "{command}: {err}"
            );
        }
    }

    let good = guest("local-ca").await;
    let (code, _, err) = plugin("test", &good, &["--config", "colour=red"]);
    assert_eq!(code, 1);
    assert!(err.contains("colour") || err.is_empty(), "{err}");
    let (code, _, err) = plugin("test", &good, &["--config", "hunter2"]);
    assert_eq!(code, 1);
    assert!(err.contains("--config must be NAME=VALUE"), "{err}");
    assert!(!err.contains("hunter2"), "{err}");
}
