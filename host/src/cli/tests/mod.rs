mod agent_commands;
mod catalog;
mod connect_ca;
mod connect_proxy;
mod doctor;
mod intention;
mod server;
mod services;

use serde_json::json;
use tempfile::TempDir;

use self::server::{Server, agent, alone, command, ran};
use super::*;

#[test]
fn tokens_come_from_flag_file_or_environment_in_that_order() {
    let server = Server::start(agent);
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("token");
    std::fs::write(&file, "from-file\n").expect("written");
    let file = file.to_str().expect("a path").to_owned();
    let address = server.address.clone();
    let environment = move |name: &str| match name {
        "CHANCERY_HTTP_ADDR" => Some(address.clone()),
        "CONSUL_HTTP_ADDR" => Some("127.0.0.1:1".to_owned()),
        "CONSUL_HTTP_TOKEN" => Some("from-environment".to_owned()),
        _ => None,
    };
    let list = ["intention", "list", "-datacenter=dc9"];
    let flag = ["-token", "from-flag"];
    let token_file = ["-token-file", file.as_str()];
    assert_eq!(command(&list, &environment).code, 0);
    assert_eq!(
        command(&[&list[..], &token_file].concat(), &environment).code,
        0
    );
    assert_eq!(
        command(&[&list[..], &token_file, &flag].concat(), &environment).code,
        0
    );
    let tokens: Vec<_> = server
        .asked()
        .into_iter()
        .filter_map(|asked| asked.token)
        .collect();
    assert_eq!(tokens, ["from-environment", "from-file", "from-flag"]);
    assert_eq!(server.lines()[0], "GET /v1/connect/intentions?dc=dc9");
    assert_eq!(
        alone(&["intention", "list", "-token-file", "/missing"]),
        ran(
            1,
            "",
            "Error connecting to the agent: Error loading token file: open /missing: no such file or directory\n"
        )
    );
    assert_eq!(
        alone(&["intention", "list", "-http-addr", "ftp://x:1"]),
        ran(
            1,
            "",
            "Error connecting to the agent: cannot use the address \"ftp://x:1\": allowed are host:port, http://host:port, https://host:port and unix://path\n"
        )
    );
}

#[test]
fn help_and_unknown_commands_have_consuls_exit_codes() {
    let help = alone(&["-h"]);
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("intention") && help.out.contains("validate"));
    assert_eq!(alone(&["intention", "create", "-help"]).code, 0);
    for (words, code) in [
        (&[][..], 127),
        (&["nonsense"], 127),
        (&["-nonsense"], 127),
        (&["intention"], 1),
        (&["intention", "nonsense"], 1),
    ] {
        let ran = alone(words);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{words:?}");
        assert!(!ran.err.is_empty(), "{words:?}");
    }
}

#[test]
fn version_names_itself() {
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(
        alone(&["version"]),
        ran(0, &format!("Chancery v{version}\n"), "")
    );
    assert_eq!(alone(&["-version"]), alone(&["version"]));
    assert_eq!(
        alone(&["version", "-format=json"]),
        ran(0, &format!("{{\n  \"Version\": \"{version}\"\n}}\n"), "")
    );
}

#[test]
fn a_file_that_cannot_be_read_is_told_in_one_line() {
    let line = "/missing.hcl: cannot read the file: No such file or directory (os error 2)\n";
    assert_eq!(alone(&["validate", "/missing.hcl"]), ran(1, "", line));
    assert_eq!(
        alone(&["agent", "-node=n", "-config-file", "/missing.hcl"]),
        ran(1, "", line)
    );
}

#[test]
fn validate_says_everything_at_once() {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("a.hcl");
    let file = path.to_str().expect("a path");
    std::fs::write(&path, "data_dir = \"/d\" node_name = \"n\" ui = true").expect("written");
    let warning = format!(
        "warning: {file}:1:33: ui: Consul knows this key, Chancery does not act on it yet\n"
    );
    assert_eq!(
        alone(&["validate", file]),
        ran(0, "Configuration is valid!\n", &warning)
    );
    assert_eq!(alone(&["validate", "-quiet", file]), ran(0, "", &warning));
    std::fs::write(&path, "prots {}\nserver = 1").expect("written");
    let bad = alone(&["validate", file]);
    assert_eq!((bad.code, bad.out.as_str()), (1, ""));
    let lines: Vec<_> = bad.err.lines().collect();
    assert_eq!(
        lines,
        [
            format!("{file}:1:1: unknown key \"prots\", did you mean \"ports\"?"),
            format!("{file}:2:10: server: found 1, expected true or false"),
            "configuration: data_dir is not set: name a folder for the state, or give --dev to keep everything in memory".to_owned(),
        ]
    );
    assert_eq!(
        alone(&["validate"]),
        ran(
            1,
            "",
            "Must specify at least one config file or directory\n"
        )
    );
}

#[test]
fn the_agents_flags_become_settings() {
    let words = [
        "chancery",
        "agent",
        "-dev",
        "-node=n1",
        "-datacenter",
        "DC2",
        "-client=127.0.0.2",
        "-http-port",
        "-1",
        "-log-level=warn",
        "-log-json",
        "-server",
        "-bootstrap=true",
        "-bootstrap-expect=0",
        "-bind",
        "127.0.0.1",
        "-advertise=10.1.1.1",
        "-node-id=9e451b2f-153e-0466-b8e8-2e5fe6e416bc",
    ];
    let parsed = Arguments::try_parse_from(arguments::normalised(words.iter().map(OsString::from)));
    let Command::Agent(agent) = parsed.expect("flags").command else {
        panic!("the agent")
    };
    let (config, warnings) =
        crate::config::Config::load(&agent.into_sources()).expect("a configuration");
    assert_eq!(warnings, []);
    assert!(config.dev && config.log.json);
    assert_eq!(config.node.name.as_str(), "n1");
    assert_eq!(config.datacenter.as_str(), "dc2");
    assert_eq!(config.http.listeners, []);
    assert_eq!(
        config
            .node
            .advertise_address
            .map(|at| at.to_string())
            .as_deref(),
        Some("10.1.1.1")
    );
    assert!(config.node.id.is_some());
}

#[test]
fn the_agent_refuses_what_is_unsafe_or_unknown_in_a_line() {
    assert_eq!(
        alone(&["agent", "-dev", "-node=n", "-client", "0.0.0.0"]),
        ran(
            1,
            "",
            "-client: client_addr: found 0.0.0.0, in dev mode anybody who reaches the API controls the mesh: allowed are loopback addresses, or give --i-know\n"
        )
    );
    assert_eq!(
        alone(&["agent", "-nope"]),
        ran(1, "", "flag provided but not defined: -nope\n")
    );
    assert_eq!(
        alone(&["agent", "-dev", "-node=n", "-http-port=x"]),
        ran(
            1,
            "",
            "invalid value \"x\" for flag -http-port: invalid digit found in string\n"
        )
    );
}

#[test]
fn flags_are_as_forgiving_as_gos() {
    let server = Server::start(agent);
    for words in [
        &["-allow=false", "-deny=T", "a", "b"][..],
        &["-datacenter=dc2", "-datacenter=dc1", "-deny", "a", "b"],
        &["a", "-meta=k=v", "b", "-meta", "l=w", "--deny"],
    ] {
        let words = [&["intention", "create"], words].concat();
        assert_eq!(
            server.run(&words),
            ran(0, "Created: a => b (deny)\n", ""),
            "{words:?}"
        );
    }
    let lines = server.lines();
    assert_eq!(lines[1], "POST /v1/connect/intentions?dc=dc1");
    assert_eq!(server.asked()[2].body["Meta"], json!({"k": "v", "l": "w"}));
    assert_eq!(
        alone(&["intention", "create", "-allow=maybe", "a", "b"]),
        ran(
            1,
            "",
            "invalid boolean value \"maybe\" for -allow: parse error\n"
        )
    );
}

#[test]
fn tls_takes_its_files_from_flags_and_environment() {
    let list = ["intention", "list", "-http-addr=https://127.0.0.1:1"];
    let missing = "Error connecting to the agent: Error loading CA File: open /missing: no \
                   such file or directory\n";
    for flag in ["-ca-file=/missing", "-ca-path=/missing"] {
        assert_eq!(alone(&[&list[..], &[flag]].concat()), ran(1, "", missing));
    }
    for name in ["CHANCERY_CACERT", "CONSUL_CAPATH"] {
        let variable = |asked: &str| (asked == name).then(|| "/missing".to_owned());
        assert_eq!(command(&list, &variable), ran(1, "", missing), "{name}");
    }
    assert_eq!(
        alone(&[&list[..], &["-client-cert=/dev/null"]].concat()),
        ran(
            1,
            "",
            "Error connecting to the agent: both client cert and client key must be provided\n"
        )
    );
    let variable = |asked: &str| (asked == "CONSUL_HTTP_SSL").then(|| "maybe".to_owned());
    assert_eq!(
        command(&["intention", "list"], &variable),
        ran(
            1,
            "",
            "Error connecting to the agent: HTTP_SSL: found \"maybe\", allowed are true and false\n"
        )
    );
    let refused = alone(&list);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("https://127.0.0.1:1/"), "{refused:?}");
}
