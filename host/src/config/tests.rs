use std::fmt::Write as _;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::definition;

/// One configuration of a table, and all that is said about it.
fn remarks(folder: &Path, title: &str, text: &str) -> String {
    let words: Vec<&str> = title
        .split_once('[')
        .map(|(_, words)| words.trim_end_matches(']').split(' ').collect())
        .unwrap_or_default();
    let name = if words.contains(&"json") {
        "agent.json"
    } else {
        "agent.hcl"
    };
    let path = folder.join(name);
    fs::write(&path, text).expect("written");
    let mut sources = Sources {
        dev: words.contains(&"dev"),
        allow_remote: words.contains(&"remote"),
        hostname: "machine".to_owned(),
        paths: vec![path],
        ..Sources::default()
    };
    if !sources.dev && !words.contains(&"bare") {
        let folder = FlagValue::Text("/var/lib/chancery".to_owned());
        // Under every layer that the file could say.
        sources.flags.push(("-data-dir", "data_dir", folder));
    }
    let mut said = String::new();
    match Config::load(&sources) {
        Ok((_, warnings)) => {
            for warning in warnings {
                writeln!(said, "warning {warning}").expect("a string");
            }
        }
        Err(report) => writeln!(said, "{report}").expect("a string"),
    }
    said.replace(&format!("{}/", folder.display()), "")
}

fn run_table(name: &str) -> usize {
    let folder = TempDir::new().expect("a folder");
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/config/testdata")
        .join(name);
    let table = fs::read_to_string(&path).expect("a table");
    let mut now = String::new();
    let mut cases = 0;
    for case in table.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').expect("a title");
        let (text, _) = rest.split_once("---\n").expect("a configuration");
        let said = remarks(folder.path(), title, text);
        write!(now, "=== {title}\n{text}---\n{said}").expect("a string");
        cases += 1;
    }
    if std::env::var_os("UPDATE_TESTDATA").is_some() {
        fs::write(&path, &now).expect("written");
        return cases;
    }
    assert!(now == table, "{name} says now:\n{now}");
    cases
}

#[test]
fn every_bad_configuration_gets_all_its_messages() {
    let cases: usize = [
        "syntax.txt",
        "keys.txt",
        "values.txt",
        "rules.txt",
        "services.txt",
    ]
    .into_iter()
    .map(run_table)
    .sum();
    assert!(cases >= 60, "{cases}");
}

#[test]
fn what_is_known_and_not_acted_on_is_warned_about_once() {
    assert_eq!(run_table("warnings.txt"), 4);
}

#[test]
fn no_table_shows_a_secret() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/testdata");
    for file in fs::read_dir(folder).expect("testdata") {
        let text = fs::read_to_string(file.expect("file").path()).expect("text");
        for line in text.lines().filter(|line| line.contains("agent.hcl:")) {
            assert!(
                !line.contains("canary") && !line.contains("123456"),
                "{line}"
            );
        }
    }
}

/// A configuration in a file of its own.
fn load(text: &str) -> Config {
    load_files(&[("a.hcl", text)], &[])
}

fn load_files(files: &[(&str, &str)], flags: &[(&'static str, &'static str, FlagValue)]) -> Config {
    let folder = TempDir::new().expect("a folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("written");
    }
    let mut all = vec![("-data-dir", "data_dir", FlagValue::Text("/data".to_owned()))];
    all.extend_from_slice(flags);
    let sources = Sources {
        hostname: "machine".to_owned(),
        paths: vec![folder.path().to_owned()],
        flags: all,
        ..Sources::default()
    };
    match Config::load(&sources) {
        Ok((config, _)) => config,
        Err(report) => panic!("{report}"),
    }
}

#[test]
fn defaults_are_consuls_where_it_has_them() {
    let config = load("");
    assert_eq!(config.datacenter.as_str(), "dc1");
    assert_eq!(config.node.name.as_str(), "machine");
    assert_eq!(
        config.http.listeners,
        [SocketAddr::from(([127, 0, 0, 1], 8500))]
    );
    assert_eq!(config.sidecar_ports, 21000..=21255);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.limits.http_max_conns_per_client, 200);
    assert_eq!(
        config.log,
        LogSettings {
            level: LogLevel::Info,
            json: false
        }
    );
    assert_eq!(
        config.default_intention_policy,
        DefaultIntentionPolicy::Allow
    );
    assert_eq!(config.node.advertise_address, None);
    assert!(config.connect.enabled && !config.enable_debug && !config.dev);
    assert_eq!(config.connect.ca.provider, "consul");
}

#[test]
fn dev_mode_is_in_memory_and_on_loopback() {
    let sources = Sources {
        dev: true,
        hostname: "machine".to_owned(),
        ..Sources::default()
    };
    let (config, warnings) = Config::load(&sources).expect("dev mode needs nothing");
    assert_eq!(warnings, []);
    assert_eq!(config.data_dir, None);
    assert_eq!(
        config.node.advertise_address,
        Some(Ipv4Addr::LOCALHOST.into())
    );
    assert_eq!(
        config.http.listeners,
        [SocketAddr::from(([127, 0, 0, 1], 8500))]
    );
    assert!(config.connect.enabled && config.enable_debug);
}

#[test]
fn the_one_line_stanza_for_vault_works_and_keeps_its_secrets_to_itself() {
    const MOUNTS: &str = r#"root_pki_path = "root" intermediate_pki_path = "inter""#;
    let with_token = load(&format!(
        r#"connect {{ enabled = true  ca_provider = "vault"  ca_config {{ address = "https://vault:8200"  token = "canary-1"  {MOUNTS}  LeafCertTTL = "1h" }} }}"#
    ));
    let ca = &with_token.connect.ca;
    assert_eq!(ca.provider, "vault");
    assert_eq!(
        serde_json::Value::Object(ca.config.settings.clone()),
        serde_json::json!({
            "Address": "https://vault:8200", "RootPKIPath": "root",
            "IntermediatePKIPath": "inter", "LeafCertTTL": "1h",
        })
    );
    assert_eq!(ca.config.secrets["Token"].expose(), b"canary-1");
    let with_role = load(&format!(
        r#"connect {{ ca_provider = "vault"  ca_config {{ address = "https://vault:8200"  {MOUNTS}  auth_method {{ type = "approle" params {{ role_id = "r" secret_id = "canary-2" }} }} }} }}"#
    ));
    let ca = &with_role.connect.ca.config;
    assert_eq!(
        ca.settings["AuthMethod"],
        serde_json::json!({"Type": "approle"})
    );
    assert_eq!(
        ca.secrets["AuthMethod.Params"].expose(),
        br#"{"role_id":"r","secret_id":"canary-2"}"#
    );
    assert!(!format!("{with_token:?}{with_role:?}").contains("canary"));
}

#[test]
fn a_plugin_is_found_beside_the_file_and_its_own_options_are_secret() {
    let config = load(
        r#"plugin_dir = "plugins"
           connect { ca_provider = "wasm"  ca_config { path = "my-ca.wasm"  http_ca_file = "/ca.pem"
             allow_http = ["ca.example.com:443"]  max_memory = "16MiB"  leaf_cert_ttl = "1h"
             config { token = "canary" } } }"#,
    );
    let ca = &config.connect.ca.config;
    let path = ca.settings["Path"].as_str().unwrap();
    let path = Path::new(path);
    assert!(
        path.is_absolute() && path.ends_with("my-ca.wasm"),
        "{path:?}"
    );
    assert_eq!(config.plugin_dir, Some(path.with_file_name("plugins")));
    assert_eq!(ca.settings["HTTPCAFile"], "/ca.pem");
    assert_eq!(ca.settings["MaxMemory"], "16MiB");
    assert_eq!(ca.secrets["Config"].expose(), br#"{"token":"canary"}"#);
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn later_files_win_maps_join_services_append_and_flags_are_last() {
    let config = load_files(
        &[
            (
                "1.hcl",
                r#"datacenter = "one" node_meta { a = "1" b = "1" } ports { http = 1 } service { name = "a" } connect { enabled = false }"#,
            ),
            (
                "2.json",
                r#"{"datacenter": "Two", "node_meta": {"b": "2"}, "services": [{"Name": "b"}, {"name": "c"}]}"#,
            ),
            ("3.txt", "this is not read"),
        ],
        &[("-http-port", "ports.http", FlagValue::Integer(3))],
    );
    assert_eq!(config.datacenter.as_str(), "two");
    assert_eq!(config.http.listeners[0].port(), 3);
    assert!(!config.connect.enabled);
    let meta: Vec<_> = config
        .node
        .meta
        .iter()
        .map(|(k, v)| format!("{k}={v}"))
        .collect();
    assert_eq!(meta, ["a=1", "b=2"]);
    let names: Vec<_> = config
        .services
        .iter()
        .map(|service| service.registration.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn services_of_a_file_become_what_the_api_reads() {
    let config = load(
        r#"
        service {
          name = "web"
          port = 8080
          tags = ["a"]
          meta { version = "1" }
          check { id = "c" http = "http://127.0.0.1:8080/health" interval = "10s" }
          checks = [{ ttl = "5s" }]
          weights { passing = 2 warning = 1 }
          connect { sidecar_service { proxy { upstreams { destination_name = "db" local_bind_port = 9191 } config { protocol = "http" } } } }
        }
        services { name = "db" connect { native = true } }
        services = [{ ID = "x" Name = "y" Kind = "connect-proxy" Proxy { DestinationServiceName = "db" } Port = 1 }]
        "#,
    );
    let bodies: Vec<_> = config.services.iter().map(definition::to_json).collect();
    assert_eq!(
        serde_json::Value::Array(bodies),
        serde_json::json!([
            {"Name": "web", "Port": 8080, "Tags": ["a"], "Meta": {"version": "1"},
             "Check": {"CheckID": "c", "HTTP": "http://127.0.0.1:8080/health", "Interval": "10s"},
             "Checks": [{"TTL": "5s"}], "Weights": {"Passing": 2, "Warning": 1},
             "Connect": {"SidecarService": {"Proxy": {"Config": {"protocol": "http"},
                "Upstreams": [{"DestinationName": "db", "LocalBindPort": 9191}]}}}},
            {"Name": "db", "Connect": {"Native": true}},
            {"ID": "x", "Name": "y", "Kind": "connect-proxy", "Port": 1,
             "Proxy": {"DestinationServiceName": "db"}},
        ])
    );
}

#[test]
fn every_setting_can_be_said() {
    let config = load(
        r#"
        bind_addr = "10.0.0.5" client_addr = "127.0.0.1 ::1" node_name = "n1"
        node_id = "9E451B2F-153E-0466-B8E8-2E5FE6E416BC" server = true bootstrap = true
        log_level = "err" log_json = true default_intention_policy = "deny" enable_debug = true
        seal_key_file = "/key" max_query_time = "20m" default_query_time = "15m"
        ports { http = 0x50 sidecar_min_port = 5 sidecar_max_port = 5 }
        http_config { allowed_hosts = ["Mesh.example"] }
        limits {
          http_max_conns_per_client = 0 http_max_connections = 1 http_max_blocked_queries = 2
          http_max_body_bytes = 3 http_max_header_bytes = 8192 http_header_timeout = "1s"
        }
        "#,
    );
    assert_eq!(
        config.http.listeners,
        ["127.0.0.1:80", "[::1]:80"].map(|at| at.parse().expect("address"))
    );
    assert_eq!(config.http.allowed_hosts, ["mesh.example"]);
    assert_eq!(
        config.node.advertise_address,
        Some(Ipv4Addr::new(10, 0, 0, 5).into())
    );
    assert!(config.node.id.is_some());
    assert_eq!(config.sidecar_ports, 5..=5);
    assert_eq!(
        config.log,
        LogSettings {
            level: LogLevel::Error,
            json: true
        }
    );
    assert_eq!(
        config.default_intention_policy,
        DefaultIntentionPolicy::Deny
    );
    assert_eq!(config.seal_key_file, Some(PathBuf::from("/key")));
    assert_eq!(
        config.limits,
        Limits {
            http_max_conns_per_client: 0,
            http_max_connections: 1,
            http_max_blocked_queries: 2,
            http_max_body_bytes: 3,
            http_max_header_bytes: 8192,
            http_header_timeout: Duration::from_secs(1),
            default_query_time: Duration::from_secs(900),
            max_query_time: Duration::from_secs(1200),
        }
    );
    let off = load("ports { http = -1 }");
    assert_eq!(off.http.listeners, []);
}

#[test]
fn the_api_is_served_on_addresses_and_in_files() {
    let both = load(
        r#"
        addresses { http = "127.0.0.1 unix:///run/a.sock unix:///run/b.sock" }
        unix_sockets { mode = "0660" }
        "#,
    );
    let port = SocketAddr::from(([127, 0, 0, 1], 8500));
    assert_eq!(both.http.listeners, [port]);
    let sockets = ["/run/a.sock", "/run/b.sock"].map(PathBuf::from);
    assert_eq!(both.http.sockets, sockets);
    assert_eq!(both.http.socket_mode, 0o660);
    let file = load(r#"addresses { http = "unix:///run/a.sock" }"#);
    assert_eq!(file.http.listeners, []);
    assert_eq!(file.http.sockets, [PathBuf::from("/run/a.sock")]);
    assert_eq!(file.http.socket_mode, 0o600);
}

#[test]
fn files_that_cannot_be_read_and_bad_flags_are_told_together() {
    let folder = TempDir::new().expect("a folder");
    let at = |name: &str| folder.path().join(name);
    fs::write(at("latin.hcl"), b"# \xc3\xa9\ndatacenter = \"\xe9\"").expect("written");
    fs::write(at("long.hcl"), "#".repeat(hcl::MAX_BYTES + 1)).expect("written");
    fs::write(at("conf.yaml"), "").expect("written");
    let sources = Sources {
        hostname: "a/b".to_owned(),
        paths: ["missing.hcl", "latin.hcl", "long.hcl", "conf.yaml"]
            .map(at)
            .to_vec(),
        flags: vec![("-http-port", "ports.http", FlagValue::Integer(70000))],
        ..Sources::default()
    };
    let report = Config::load(&sources).expect_err("mistakes");
    let said = report
        .to_string()
        .replace(&format!("{}/", folder.path().display()), "");
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "missing.hcl: cannot read the file: No such file or directory (os error 2)",
            "latin.hcl:2:15: found bytes that are no UTF-8",
            "long.hcl: the file is longer than 1048576 bytes",
            "conf.yaml: the name ends neither in .hcl nor in .json, and -config-format is not given",
            "-http-port: ports.http: found 70000, allowed is -1 (off), 0 (any free one) or a port up to 65535",
            "configuration: node_name is not set and the machine's name will not do: name \"a/b\" contains /, names have no '/', '%', control or text-direction characters",
        ]
    );
}

#[test]
fn a_device_without_end_fills_no_memory() {
    let sources = Sources {
        hostname: "m".to_owned(),
        paths: vec![PathBuf::from("/dev/zero")],
        format: Some(FileFormat::Hcl),
        dev: true,
        ..Sources::default()
    };
    let report = Config::load(&sources).expect_err("too long");
    assert_eq!(
        report.to_string(),
        "/dev/zero: the file is longer than 1048576 bytes"
    );
}

#[test]
fn the_examples_of_the_manual_are_good() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let page = fs::read_to_string(page).expect("the page");
    let folder = TempDir::new().expect("a folder");
    let mut examples = 0;
    for part in page.split("```hcl\n").skip(1) {
        let (example, _) = part.split_once("```").expect("an end");
        let path = folder.path().join("a.hcl");
        fs::write(&path, example).expect("written");
        let sources = Sources {
            hostname: "machine".to_owned(),
            paths: vec![path],
            ..Sources::default()
        };
        match Config::load(&sources) {
            Ok((_, warnings)) => assert_eq!(warnings, [], "{example}"),
            Err(report) => panic!("{report}\n{example}"),
        }
        examples += 1;
    }
    assert_eq!(examples, 3);
}

#[test]
fn every_ignored_key_gets_its_one_warning() {
    let text: String = keys::TOP_LEVEL
        .iter()
        .map(|key| format!("\"{key}\" = 1\n"))
        .collect();
    let folder = TempDir::new().expect("a folder");
    let said = remarks(folder.path(), "", &text);
    assert_eq!(said.lines().count(), keys::TOP_LEVEL.len());
    for list in [
        keys::TOP_LEVEL,
        keys::ACL,
        keys::PORTS,
        keys::LIMITS,
        keys::HTTP_CONFIG,
    ] {
        assert!(list.is_sorted(), "{list:?}");
    }
}

#[test]
fn any_number_of_warnings_hides_no_mistake() {
    let checks = "checks { ttl = \"1s\" token = \"t\" } ".repeat(2 * Problems::MOST_WARNINGS);
    let text = format!("service {{ name = \"a\" {checks} bogus = 1 }}");
    let folder = TempDir::new().expect("a folder");
    let said = remarks(folder.path(), "", &text);
    assert!(said.contains("unknown key \"service.bogus\""), "{said}");
    let many = "bogus = 1 }\nservice { ".repeat(2 * Problems::MOST);
    let said = remarks(folder.path(), "", &format!("service {{ {many} }}"));
    assert_eq!(said.lines().count(), Problems::MOST);
}
