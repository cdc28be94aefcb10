use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;

/// What a command asked: method with path and query, token, body.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    line: String,
    token: Option<String>,
    body: Value,
}

type Answers = fn(&str) -> (u16, String);

#[derive(Clone)]
struct Recorder {
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// An agent's API that answers by a table and remembers what it was asked.
struct Server {
    address: String,
    recorder: Recorder,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    fn start(answers: Answers) -> Self {
        let recorder = Recorder {
            answers,
            asked: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address").to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().fallback(answer).with_state(recorder.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let stopped = async {
                    let _ = stopped.await;
                };
                axum::serve(listener, router)
                    .with_graceful_shutdown(stopped)
                    .await
                    .expect("served");
            });
        });
        Self {
            address,
            recorder,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    fn run(&self, words: &[&str]) -> Ran {
        let address = self.address.clone();
        command(words, &move |name| {
            (name == "CONSUL_HTTP_ADDR").then(|| address.clone())
        })
    }

    fn asked(&self) -> Vec<Asked> {
        self.recorder.asked.lock().expect("lock").clone()
    }

    fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

async fn answer(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let line = format!("{method} {uri}");
    let token = headers
        .get("x-consul-token")
        .map(|token| token.to_str().expect("text").to_owned());
    recorder.asked.lock().expect("lock").push(Asked {
        line: line.clone(),
        token,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    let (status, text) = (recorder.answers)(&line);
    (StatusCode::from_u16(status).expect("a status"), text)
}

#[derive(Debug, PartialEq)]
struct Ran {
    code: u8,
    out: String,
    err: String,
}

fn ran(code: u8, out: &str, err: &str) -> Ran {
    Ran {
        code,
        out: out.to_owned(),
        err: err.to_owned(),
    }
}

fn command(words: &[&str], variable: &dyn Fn(&str) -> Option<String>) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = Context {
        out: &mut out,
        err: &mut err,
        variable,
    };
    let words = std::iter::once("chancery").chain(words.iter().copied());
    let code = run(words.map(OsString::from), &mut context);
    Ran {
        code,
        out: String::from_utf8(out).expect("UTF-8"),
        err: String::from_utf8(err).expect("UTF-8"),
    }
}

fn alone(words: &[&str]) -> Ran {
    command(words, &|_| None)
}

const ID: &str = "eb1c4a24-083e-3036-f6c3-7cf98ae4689e";

fn row() -> Value {
    json!({
        "ID": ID, "Description": "d1", "SourceNS": "default", "SourceName": "web",
        "DestinationNS": "default", "DestinationName": "db", "SourceType": "consul",
        "Action": "deny", "DefaultAddr": "", "DefaultPort": 0, "Meta": {"k": "v"},
        "Precedence": 9, "CreatedAt": "2026-11-24T16:35:01.5Z",
        "UpdatedAt": "2026-11-24T16:35:01.5Z", "Hash": "", "CreateIndex": 5, "ModifyIndex": 5,
    })
}

fn agent(line: &str) -> (u16, String) {
    let path = line.split('?').next().unwrap_or_default();
    match path {
        "GET /v1/connect/intentions" => (200, json!([row()]).to_string()),
        "POST /v1/connect/intentions" => (200, json!({ "ID": ID }).to_string()),
        "GET /v1/connect/intentions/match" if line.contains("name=none") => {
            (200, json!({"none": null}).to_string())
        }
        "GET /v1/connect/intentions/match" => (200, json!({"db": [row(), row()]}).to_string()),
        "GET /v1/connect/intentions/check" => (
            200,
            json!({"Allowed": line.contains("source=web")}).to_string(),
        ),
        "GET /v1/chancery/intentions/explain" => (
            200,
            json!({"allowed": false, "reason": "r", "text": "Denied\n  because\n"}).to_string(),
        ),
        _ if path.ends_with(ID) => (200, row().to_string()),
        _ if path.contains("/v1/connect/intentions/ffff") => {
            (404, "Intention not found".to_owned())
        }
        _ if path.starts_with("GET /v1/connect/intentions/") => {
            (400, "Bad request: failed intention lookup".to_owned())
        }
        _ if path.starts_with("PUT /v1/agent/service/") && !path.ends_with("bad") => {
            (200, String::new())
        }
        _ => (500, "it broke\n".to_owned()),
    }
}

#[test]
fn create_sends_every_field_and_says_what_it_made() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&[
            "intention",
            "create",
            "-deny",
            "-meta",
            "a=b",
            "-meta=c=d=e",
            "api",
            "db"
        ]),
        ran(0, "Created: api => db (deny)\n", "")
    );
    assert_eq!(
        server.run(&["intention", "create", "ns1/web", "ns2/db"]),
        ran(0, "Created: ns1/web => ns2/db (allow)\n", "")
    );
    let asked = server.asked();
    assert_eq!(asked[0].line, "POST /v1/connect/intentions");
    assert_eq!(
        asked[0].body,
        json!({
            "ID": "", "Description": "", "SourceNS": "default", "SourceName": "api",
            "DestinationNS": "default", "DestinationName": "db", "SourceType": "consul",
            "Action": "deny", "DefaultAddr": "", "DefaultPort": 0, "Meta": {"a": "b", "c": "d=e"},
            "Precedence": 0, "CreatedAt": "0001-01-01T00:00:00Z",
            "UpdatedAt": "0001-01-01T00:00:00Z", "Hash": null, "CreateIndex": 0, "ModifyIndex": 0,
        })
    );
    assert_eq!(asked[1].body["Meta"], Value::Null);
}

#[test]
fn create_replaces_by_id_and_says_so() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "create", "-replace", "web", "db"]),
        ran(0, "Replaced: web => db (allow)\n", "")
    );
    assert_eq!(
        server.run(&["intention", "create", "-replace", "web", "other"]),
        ran(0, "Created: web => other (allow)\n", "")
    );
    assert_eq!(
        server.lines(),
        [
            "GET /v1/connect/intentions".to_owned(),
            format!("PUT /v1/connect/intentions/{ID}"),
            "GET /v1/connect/intentions".to_owned(),
            "POST /v1/connect/intentions".to_owned(),
        ]
    );
}

#[test]
fn create_reads_files_and_leaves_unknown_keys_out() {
    let server = Server::start(agent);
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("one.json");
    let text = r#"{"SourceName":"a","destinationname":"b","Action":"allow","Bogus":1}"#;
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a path");
    assert_eq!(
        server.run(&["intention", "create", "-file", file]),
        ran(0, "Created: a => b (allow)\n", "")
    );
    assert_eq!(server.asked()[0].body.get("Bogus"), None);
    assert_eq!(server.asked()[0].body["DestinationName"], "b");
    assert_eq!(
        server.run(&["intention", "create", "-file"]),
        ran(1, "", "Error: -file needs at least one file\n")
    );
    let missing = server.run(&["intention", "create", "-file", "/missing.json"]);
    assert_eq!(missing.code, 1);
    assert!(
        missing
            .err
            .starts_with("Error: open /missing.json: No such file"),
        "{missing:?}"
    );
}

#[test]
fn create_refuses_wrong_arguments() {
    for (words, err) in [
        (
            &["web"][..],
            "Error: Must specify two arguments: source and destination\n",
        ),
        (
            &["-allow", "-deny", "a", "b"],
            "Only one of -allow or -deny may be specified.\n",
        ),
        (
            &["a/b/c", "db"],
            "Error: Invalid intention source: target can contain at most one '/'\n",
        ),
        (
            &["-meta", "nokv", "a", "b"],
            "invalid value \"nokv\" for flag -meta: Missing \"=\" value in argument: nokv\n",
        ),
        (&["-zzz", "a", "b"], "flag provided but not defined: -zzz\n"),
        (&["a", "b", "-meta"], "flag needs an argument: -meta\n"),
    ] {
        let words = [&["intention", "create"], words].concat();
        assert_eq!(alone(&words), ran(1, "", err), "{words:?}");
    }
}

#[test]
fn a_servers_error_is_told_with_its_code() {
    let server = Server::start(|_| (500, "duplicate intention found: x".to_owned()));
    assert_eq!(
        server.run(&["intention", "create", "web", "db"]),
        ran(
            1,
            "",
            "Error creating intention \"web => db (allow)\": Unexpected response code: 500 (duplicate intention found: x)\n"
        )
    );
}

#[test]
fn nobody_listening_is_told_as_go_tells_it() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let flag = format!("-http-addr={address}");
    assert_eq!(
        alone(&["intention", "list", &flag]),
        ran(
            1,
            "",
            &format!(
                "Error listing intentions: Get \"http://{address}/v1/connect/intentions\": dial tcp {address}: connect: connection refused\n"
            )
        )
    );
}

#[test]
fn check_answers_by_exit_code() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "check", "web", "db"]),
        ran(0, "Allowed\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "api", "db"]),
        ran(1, "Denied\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "-explain", "a b", "db"]),
        ran(1, "Denied\n  because\n", "")
    );
    assert_eq!(
        server.run(&["intention", "check", "-format=json", "web", "db"]),
        ran(0, "{\n  \"Allowed\": true\n}\n", "")
    );
    assert_eq!(
        server.lines()[..3],
        [
            "GET /v1/connect/intentions/check?source=web&destination=db&source-type=consul",
            "GET /v1/connect/intentions/check?source=api&destination=db&source-type=consul",
            "GET /v1/chancery/intentions/explain?source=a+b&destination=db",
        ]
    );
    assert_eq!(
        alone(&["intention", "check", "web"]),
        ran(
            2,
            "",
            "Error: command requires exactly two arguments: src and dst\n"
        )
    );
    assert_eq!(
        alone(&["intention", "check", "-zzz"]),
        ran(2, "", "flag provided but not defined: -zzz\n")
    );
    let broken = Server::start(|_| (500, "x".to_owned()));
    assert_eq!(
        broken.run(&["intention", "check", "web", "db"]),
        ran(
            2,
            "",
            "Error checking the connection: Unexpected response code: 500 (x)\n"
        )
    );
}

#[test]
fn match_lists_in_order_by_either_side() {
    let server = Server::start(agent);
    let twice = "web => db (deny)\nweb => db (deny)\n";
    assert_eq!(server.run(&["intention", "match", "db"]), ran(0, twice, ""));
    assert_eq!(
        server.run(&["intention", "match", "-source", "web"]),
        ran(0, twice, "")
    );
    assert_eq!(server.run(&["intention", "match", "none"]), ran(0, "", ""));
    assert_eq!(
        server.lines(),
        [
            "GET /v1/connect/intentions/match?by=destination&name=db",
            "GET /v1/connect/intentions/match?by=source&name=web",
            "GET /v1/connect/intentions/match?by=destination&name=none",
        ]
    );
    assert_eq!(
        alone(&["intention", "match"]),
        ran(
            1,
            "",
            "Error: command requires exactly one argument: src or dst\n"
        )
    );
    assert_eq!(
        alone(&["intention", "match", "-source", "-destination", "x"]),
        ran(
            1,
            "",
            "Error: only one of -source or -destination may be specified\n"
        )
    );
}

#[test]
fn get_shows_two_columns() {
    let server = Server::start(agent);
    let shown = "Source:       web\nDestination:  db\nAction:       deny\nID:           eb1c4a24-083e-3036-f6c3-7cf98ae4689e\nDescription:  d1\nMeta[k]:      v\nCreated At:   Tuesday, 24-Nov-26 16:35:01 UTC\n";
    assert_eq!(
        server.run(&["intention", "get", "web", "default/db"]),
        ran(0, shown, "")
    );
    assert_eq!(server.run(&["intention", "get", ID]), ran(0, shown, ""));
    let json = server.run(&["intention", "get", "-format", "json", ID]);
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).expect("JSON"),
        row()
    );
    for (words, err) in [
        (
            &["no", "db"][..],
            "Error: Intention with source \"no\" and destination \"db\" not found.\n",
        ),
        (
            &["WEB", "db"],
            "Error: Intention with source \"WEB\" and destination \"db\" not found.\n",
        ),
        (
            &["a", "b", "c"],
            "Error: command requires exactly 1 or 2 arguments\n",
        ),
        (&["ffff"], "Error: Intention with ID \"ffff\" not found.\n"),
        (
            &["x"],
            "Error reading the intention: Unexpected response 400: Bad request: failed intention lookup\n",
        ),
    ] {
        let words = [&["intention", "get"], words].concat();
        assert_eq!(server.run(&words), ran(1, "", err), "{words:?}");
    }
}

#[test]
fn what_a_stranger_stored_writes_no_escapes_to_a_terminal() {
    let server = Server::start(|_| {
        let mut row = row();
        row["Description"] = json!("a\u{1b}[2J\nb");
        row["Meta"] = json!({"k\r": "v\u{202e}"});
        (200, row.to_string())
    });
    let shown = server.run(&["intention", "get", ID]);
    assert_eq!(shown.out.lines().count(), 7, "{shown:?}");
    assert!(shown.out.contains("a\\u{1b}[2J\\nb"), "{shown:?}");
    assert!(
        !shown.out.contains(['\u{1b}', '\r', '\u{202e}']),
        "{shown:?}"
    );
}

#[test]
fn delete_goes_by_names_or_id() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "delete", "web", "db"]),
        ran(0, "Intention deleted.\n", "")
    );
    assert_eq!(
        server.run(&["intention", "delete", ID]),
        ran(0, "Intention deleted.\n", "")
    );
    assert_eq!(
        server.run(&["intention", "delete", "a b"]),
        ran(
            1,
            "",
            "Error deleting the intention: Unexpected response code: 500 (it broke)\n"
        )
    );
    assert_eq!(server.lines()[3], "DELETE /v1/connect/intentions/a%20b");
}

#[test]
fn list_is_a_table_or_json() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["intention", "list"]),
        ran(
            0,
            "ID                                    Source  Action  Destination  Precedence\neb1c4a24-083e-3036-f6c3-7cf98ae4689e  web     deny    db           9\n",
            ""
        )
    );
    let json = server.run(&["intention", "list", "-format=json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&json.out).expect("JSON"),
        json!([row()])
    );
    let empty = Server::start(|_| (200, "[]".to_owned()));
    assert_eq!(
        empty.run(&["intention", "list"]),
        ran(0, "", "There are no intentions.\n")
    );
}

#[test]
fn services_are_registered_from_files_and_flags() {
    let server = Server::start(agent);
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("web.hcl");
    let text = "service { name = \"web\" id = \"web-1\" port = 80 connect { sidecar_service {} } } services { name = \"db\" token = \"t\" }";
    std::fs::write(&file, text).expect("written");
    let file = file.to_str().expect("a path");
    assert_eq!(
        server.run(&["services", "register", file]),
        ran(0, "Registered service: web\nRegistered service: db\n", "")
    );
    assert_eq!(
        server.run(&[
            "services",
            "register",
            "-name",
            "api",
            "-id=api-1",
            "-port",
            "9",
            "-address",
            "10.0.0.1",
            "-tag",
            "a",
            "-tag",
            "b",
            "-meta",
            "k=v",
            "-tagged-address",
            "lan=[::1]:8",
            "-kind=mesh-gateway",
        ]),
        ran(0, "Registered service: api\n", "")
    );
    assert_eq!(
        server.run(&["services", "deregister", file]),
        ran(
            0,
            "Deregistered service: web-1\nDeregistered service: db\n",
            ""
        )
    );
    assert_eq!(
        server.run(&["services", "deregister", "-id", "a/b"]),
        ran(0, "Deregistered service: a/b\n", "")
    );
    assert_eq!(
        server.run(&["services", "deregister", "-id=bad"]),
        ran(
            1,
            "",
            "Error deregistering service \"bad\": Unexpected response code: 500 (it broke)\n"
        )
    );
    let asked = server.asked();
    let bodies: Vec<_> = asked
        .iter()
        .take(3)
        .map(|asked| asked.body.clone())
        .collect();
    assert_eq!(
        bodies,
        [
            json!({"ID": "web-1", "Name": "web", "Port": 80, "Connect": {"SidecarService": {}}}),
            json!({"Name": "db", "Token": "t"}),
            json!({"Kind": "mesh-gateway", "ID": "api-1", "Name": "api", "Port": 9, "Address": "10.0.0.1",
                "Tags": ["a", "b"], "Meta": {"k": "v"}, "TaggedAddresses": {"lan": {"Address": "::1", "Port": 8}}}),
        ]
    );
    assert_eq!(asked[5].line, "PUT /v1/agent/service/deregister/a%2Fb");
}

#[test]
fn services_refuse_wrong_arguments() {
    for (words, err) in [
        (
            &["register"][..],
            "Service registration requires at least one argument or flags.\n",
        ),
        (
            &["register", "-id", "x", "file"],
            "Service registration requires arguments or -id, not both.\n",
        ),
        (
            &["deregister"],
            "Service deregistration requires at least one argument or -id.\n",
        ),
        (
            &["deregister", "-id=x", "file"],
            "Service deregistration requires arguments or -id, not both.\n",
        ),
        (
            &["register", "-name=a", "-tagged-address", "lan=bad"],
            "Invalid Tagged Address: address bad: missing port in address\n",
        ),
        (
            &["register", "-name=a", "-kind", "bogus"],
            "invalid value \"bogus\" for flag -kind: allowed are connect-proxy, ingress-gateway, mesh-gateway, terminating-gateway\n",
        ),
        (
            &["register", "/missing.hcl"],
            "Error: /missing.hcl: cannot read the file: No such file or directory (os error 2)\n",
        ),
    ] {
        let words = [&["services"], words].concat();
        assert_eq!(alone(&words), ran(1, "", err), "{words:?}");
    }
}

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
            "Error connecting to the agent: Error loading token file: open /missing: No such file or directory (os error 2)\n"
        )
    );
    assert_eq!(
        alone(&["intention", "list", "-http-addr", "https://x:1"]),
        ran(
            1,
            "",
            "Error connecting to the agent: cannot use the address \"https://x:1\": https is not spoken yet, allowed is http\n"
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
    assert_eq!(
        alone(&["version", "-format=json"]),
        ran(0, &format!("{{\n  \"Version\": \"{version}\"\n}}\n"), "")
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
