//! Commands about one agent: members, info, maint, reload; and completions.

use serde_json::json;

use super::server::{Server, alone, ran};

fn agent(line: &str) -> (u16, String) {
    let member = |name: &str, status: u8, tags: serde_json::Value| json!({"Name": name, "Addr": "10.0.0.1", "Port": 8301, "Tags": tags, "Status": status});
    match line {
        "GET /v1/agent/members?segment=_all" => {
            let server = json!({"role": "consul", "build": "1.8.7:abc", "vsn": "2", "dc": "dc1"});
            let client = json!({"role": "node", "vsn": "2", "dc": "dc1", "segment": ""});
            let list = json!([
                member("z", 1, client),
                member("b", 1, server),
                member("a\u{1b}", 4, json!({})),
            ]);
            (200, list.to_string())
        }
        "GET /v1/agent/self" => {
            let about = json!({
                "Config": {"NodeName": "n1"},
                "Stats": {"runtime": {"b": "2", "a": "1"}, "agent": {"services": "0"}},
            });
            (200, about.to_string())
        }
        "GET /v1/agent/checks" => {
            let checks = json!({
                "_node_maintenance": {"CheckID": "_node_maintenance", "Notes": "why"},
                "_service_maintenance:web": {
                    "CheckID": "_service_maintenance:web", "ServiceID": "web", "Notes": "because",
                },
                "web-ttl": {"CheckID": "web-ttl", "Notes": "no"},
            });
            (200, checks.to_string())
        }
        _ if line.starts_with("PUT /v1/agent/") && !line.contains("nothing") => {
            (200, String::new())
        }
        _ => (404, "it is not there\n".to_owned()),
    }
}

#[test]
fn members_are_listed_in_the_order_of_their_names() {
    let server = Server::start(agent);
    let head = "Node     Address        Status  Type     Build  Protocol  DC   Segment\n";
    let nameless = "a\\u{1b}  10.0.0.1:8301  failed  unknown\n";
    let named = "b        10.0.0.1:8301  alive   server   1.8.7  2         dc1  <all>\n\
                 z        10.0.0.1:8301  alive   client   < 0.3  2         dc1  <default>\n";
    assert_eq!(
        server.run(&["members"]),
        ran(0, &format!("{head}{nameless}{named}"), "")
    );
    let detailed = server.run(&["members", "-detailed", "-status=^failed$"]);
    assert_eq!(
        detailed,
        ran(
            0,
            "Node     Address        Status  Tags\n\
             a\\u{1b}  10.0.0.1:8301  failed  segment=<default>\n",
            ""
        )
    );
    assert_eq!(server.run(&["members", "-status", "left"]), ran(2, "", ""));
    let json = server.run(&["members", "-status=failed", "-format=json"]);
    assert_eq!(json.code, 0);
    let list: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(list[0]["Status"], 4);
    assert_eq!(list.as_array().map(Vec::len), Some(1));
}

#[test]
fn members_refuse_an_expression_that_is_none() {
    let refused = alone(&["members", "-status", "("]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    let start = "Failed to compile status regexp: ";
    assert!(refused.err.starts_with(start), "{refused:?}");
}

#[test]
fn info_is_in_the_order_of_its_names() {
    let server = Server::start(agent);
    let text = "agent:\n\tservices = 0\nruntime:\n\ta = 1\n\tb = 2\n";
    assert_eq!(server.run(&["info"]), ran(0, text, ""));
}

#[test]
fn maintenance_is_begun_ended_and_shown() {
    let server = Server::start(agent);
    for (words, said) in [
        (&["-enable"][..], "Node maintenance is now enabled\n"),
        (&["-disable"], "Node maintenance is now disabled\n"),
        (
            &["-enable", "-service=a/b", "-reason", "x y"],
            "Service maintenance is now enabled for \"a/b\"\n",
        ),
    ] {
        let words = [&["maint"], words].concat();
        assert_eq!(server.run(&words), ran(0, said, ""), "{words:?}");
    }
    assert_eq!(
        server.lines(),
        [
            "PUT /v1/agent/maintenance?enable=true",
            "PUT /v1/agent/maintenance?enable=false",
            "PUT /v1/agent/service/maintenance/a%2Fb?enable=true&reason=x+y",
        ]
    );
    assert_eq!(
        server.run(&["maint"]),
        ran(
            0,
            "Node:\n  Name:   n1\n  Reason: why\n\nService:\n  ID:     web\n  Reason: because\n\n",
            ""
        )
    );
    assert_eq!(
        server.run(&["maint", "-disable", "-service", "nothing"]),
        ran(
            1,
            "",
            "Error disabling service maintenance: Unexpected response code: 404 (it is not there)\n"
        )
    );
}

#[test]
fn maintenance_refuses_what_contradicts_itself() {
    for (words, line) in [
        (
            &["-enable", "-disable"][..],
            "Only one of -enable or -disable may be provided\n",
        ),
        (
            &["-disable", "-reason=x"],
            "Reason may only be provided with -enable\n",
        ),
        (
            &["-service=x"],
            "Service requires either -enable or -disable\n",
        ),
        (&["x"], "Too many arguments: x is not expected\n"),
    ] {
        let words = [&["maint"], words].concat();
        assert_eq!(alone(&words), ran(1, "", line), "{words:?}");
    }
}

#[test]
fn a_reload_is_asked_for() {
    let server = Server::start(agent);
    let said = "Configuration reload triggered\n";
    assert_eq!(server.run(&["reload"]), ran(0, said, ""));
    assert_eq!(server.lines(), ["PUT /v1/agent/reload"]);
}

#[test]
fn completions_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = alone(&["completions", shell]);
        assert_eq!((script.code, script.err.as_str()), (0, ""), "{shell}");
        for word in ["intention", "datacenters", "set-config", "http-addr"] {
            assert!(script.out.contains(word), "{shell}: {word}");
        }
    }
    assert_eq!(alone(&["completions", "csh"]).code, 1);
}
