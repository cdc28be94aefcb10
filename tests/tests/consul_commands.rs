//! The real Consul 1.8.7 command line, pointed at our agent and at its own: the same lines, the
//! same codes. And an agent of ours started, polled and stopped as Consul's test tools do it.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use chancery_tests::{
    Agent, AgentKind, Process, chancery_binary, consul_binary, eventually, free_port, masked,
};
use serde_json::json;
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);

const INTENTIONS: &[&str] = &[
    "intention check web db",
    "intention create -deny web db",
    "intention create -allow -meta k=v api db",
    "intention create -deny web db",
    "intention create web* db",
    "intention create web",
    "intention check web db",
    "intention check api db",
    "intention check web",
    "intention match db",
    "intention match -source api",
    "intention match",
    "intention get api db",
    "intention get nope db",
    "intention get f00dcafe",
    "intention create -allow -replace web db",
    "intention check web db",
    "intention delete web db",
    "intention delete web db",
    "intention delete f00dcafe-0000-0000-0000-000000000000",
];

const CA: &[&str] = &[
    "connect ca get-config",
    "connect ca set-config -config-file ca.json",
    "connect ca get-config",
    "connect ca set-config -config-file bad.json",
    "connect ca set-config -config-file none.json",
    "connect ca set-config",
];

const SERVICES: &[&str] = &[
    "services register -name=web -port=8080 -tag=v1 -meta=k=v",
    "services register service.hcl",
    "services register -name=p -kind=connect-proxy -port=1",
    "services register",
    "services register none.hcl",
];

const CATALOG: &[&str] = &[
    "catalog services",
    "catalog services -tags",
    "catalog services -node=n1",
    "catalog services -node=nope",
    "catalog nodes",
    "catalog nodes -detailed",
    "catalog nodes -service=web",
    "catalog nodes -service=nope",
    "catalog nodes -filter=Node==n1",
    "catalog nodes -filter=Nope==1",
    "catalog nodes -near=n1",
    "catalog datacenters",
    "catalog datacenters more",
];

const AGENT: &[&str] = &[
    "services deregister -id=web",
    "services deregister service.hcl",
    "services deregister -id=nope",
    "members",
    "members -detailed",
    "members -wan",
    "members -status=failed",
    "members -status=(",
    "maint",
    "maint -enable -reason=why",
    "maint",
    "maint -disable",
    "maint -service=nope -enable",
    "reload",
];

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_says_of_our_agent_what_it_says_of_its_own() {
    let stage = Stage::new().await;
    stage.assert_same(INTENTIONS);
    stage.assert_same(CA);
    stage.assert_same(SERVICES);
    stage.wait_for("db-sidecar-proxy").await;
    stage.wait_for("web").await;
    stage.assert_same(CATALOG);
    stage.assert_same(AGENT);
    // What is inside of an agent is its own; the sections that scripts look for are there.
    let said = run(&stage.ours, stage.folder.path(), "info");
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert_eq!(said.status.code(), Some(0), "{said:?}");
    for part in [
        "agent:\n",
        "build:\n",
        "consul:\n",
        "\tleader = true\n",
        "\tserver = true\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

/// Consul's own test tools write such a file, start `agent -config-file FILE`, poll until there
/// is a leader and then until there is a node, and end it with SIGINT.
#[tokio::test]
async fn an_agent_of_consuls_test_tools_comes_up_and_goes() {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port().unwrap();
    let configuration = json!({
        "node_name": "node-7a5e",
        "node_id": "7a5e5b43-1f0d-4c5b-9c0b-2c2f7d1f7f11",
        "performance": {"raft_multiplier": 1},
        "bootstrap": true,
        "server": true,
        "data_dir": folder.path().join("data"),
        "log_level": "debug",
        "disable_update_check": true,
        "bind_addr": "127.0.0.1",
        "addresses": {},
        "ports": {"http": port, "dns": -1, "serf_lan": 8301, "serf_wan": 8302, "server": 8300},
        "skip_leave_on_interrupt": true,
        "connect": {
            "enabled": true,
            "ca_config": {"cluster_id": "11111111-2222-3333-4444-555555555555"},
        },
    });
    let file = folder.path().join("config.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let mut command = Command::new(chancery_binary().unwrap());
    command.args(["agent", "-config-file"]).arg(&file);
    let mut process = Process::spawn("agent", command).unwrap();

    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    eventually(LONG, async || {
        let answer = reqwest::get(url("/v1/status/leader")).await;
        let leader = answer.map_err(|error| error.to_string())?.text().await;
        let leader = leader.map_err(|error| error.to_string())?;
        match leader.trim() {
            "" | "\"\"" => Err(leader),
            _ => Ok(()),
        }
    })
    .await
    .unwrap();
    eventually(LONG, async || {
        let answer = reqwest::get(url("/v1/catalog/nodes")).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let leader = header("X-Consul-KnownLeader");
        let index = header("X-Consul-Index").and_then(|index| index.parse::<u64>().ok());
        match leader.as_deref() == Some("true") && index.is_some_and(|index| index >= 2) {
            true => Ok(()),
            false => Err(format!("{answer:?}")),
        }
    })
    .await
    .unwrap();

    process.interrupt().unwrap();
    let status = process.wait_exit(LONG).await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", process.output());
}

/// Both agents, and a folder with the files that the lines name.
struct Stage {
    theirs: Agent,
    ours: Agent,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("bad.json", r#"{"Provider": "nope", "Config": {}}"#),
            (
                "ca.json",
                r#"{"Provider": "consul", "Config": {"LeafCertTTL": "48h"}}"#,
            ),
            (
                "service.hcl",
                "service {\n  name = \"db\"\n  port = 5432\n  tags = [\"a\"]\n  \
                 checks = [{ id = \"db-ttl\", name = \"ttl\", ttl = \"600s\" }]\n  \
                 connect { sidecar_service { port = 21999 } }\n}\n",
            ),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let (theirs, ours) = tokio::join!(
            Agent::start_named(AgentKind::Consul, "n1"),
            Agent::start_named(AgentKind::Chancery, "n1")
        );
        Self {
            theirs: theirs.unwrap(),
            ours: ours.unwrap(),
            folder,
        }
    }

    /// Runs each line against both, one after the other.
    fn assert_same(&self, lines: &[&str]) {
        for line in lines {
            let [theirs, ours] =
                [&self.theirs, &self.ours].map(|agent| run(agent, self.folder.path(), line));
            assert_eq!(shown(&ours), shown(&theirs), "consul {line}");
        }
    }

    /// Waits until both catalogs know the service.
    async fn wait_for(&self, service: &str) {
        for agent in [&self.theirs, &self.ours] {
            eventually(LONG, async || {
                let services = agent.get("/v1/catalog/services").await;
                let services = services.map_err(|error| error.to_string())?;
                services
                    .get(service)
                    .map(drop)
                    .ok_or_else(|| services.to_string())
            })
            .await
            .unwrap();
        }
    }
}

fn run(agent: &Agent, folder: &Path, line: &str) -> Output {
    let mut command = Command::new(consul_binary().unwrap());
    command
        .args(line.split(' '))
        .env("CONSUL_HTTP_ADDR", agent.http().to_string())
        .current_dir(folder);
    command.output().unwrap()
}

/// The code and both outputs, without what differs from run to run: identifiers, indexes, ports,
/// times and how wide a column is. Our servers are no service called `consul`.
fn shown(output: &Output) -> (Option<i32>, Vec<String>) {
    let text = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    let text = masked(&text.concat(), &[]);
    let lines = text.lines().filter(|line| line.trim() != "consul");
    let lines = lines.map(|line| match line.split_once("Created At:") {
        Some(_) => "Created At: *".to_owned(),
        None => line
            .split_whitespace()
            .map(word)
            .collect::<Vec<_>>()
            .join(" "),
    });
    (output.status.code(), lines.collect())
}

fn word(word: &str) -> String {
    let is_short_id = word.len() == 8 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_short_id {
        return "*".to_owned();
    }
    let mut shown = String::new();
    let mut rest = word;
    while let Some(place) = ["127.0.0.1:", "port="]
        .iter()
        .filter_map(|mark| Some(rest.find(mark)? + mark.len()))
        .min()
    {
        let (before, after) = rest.split_at(place);
        shown = shown + before + "*";
        rest = after.trim_start_matches(|next: char| next.is_ascii_digit());
    }
    shown + rest
}
