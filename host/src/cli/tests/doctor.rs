use super::server::{Server, alone, ran};

const NOW: &str = "2026-11-24T06:40:00Z";

fn agent(findings: &str, first: &str) -> (u16, String) {
    let body =
        format!(r#"{{"now":"{NOW}","first_failed_handshake":{first},"findings":[{findings}]}}"#);
    (200, body)
}

#[test]
fn a_healthy_agent_is_zero_and_what_is_far_away_is_said_and_no_warning() {
    let server = Server::start(|_| {
        agent(
            r#"{"state":"due","at":"2036-11-24T06:40:00Z","subject":"active root","what":"it ends",
                "advice":"rotate before"}"#,
            r#""2036-11-24T06:40:00Z""#,
        )
    });
    let text = "If nothing is done, the first handshake fails at 2036-11-24T06:40:00Z \
                (in 3653 d).\n\nlater   active root: 2036-11-24T06:40:00Z (in 3653 d)\n        \
                it ends\n        > rotate before\n";
    assert_eq!(server.run(&["doctor"]), ran(0, text, ""));
    assert_eq!(server.lines(), ["GET /v1/chancery/doctor"]);
    let far = server.run(&["doctor", "-within", "90000h"]);
    assert_eq!(far.code, 1);
}

#[test]
fn what_is_due_is_one_and_what_is_broken_is_two() {
    let server = Server::start(|_| {
        agent(
            r#"{"state":"due","at":null,"subject":"ca_config","what":"they differ"}"#,
            r#""2036-11-24T06:40:00Z""#,
        )
    });
    assert_eq!(server.run(&["doctor"]).code, 1);
    let json = server.run(&["doctor", "-format=json"]);
    assert_eq!(json.code, 1);
    let body: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(body["findings"][0]["subject"], "ca_config");
    let server = Server::start(|_| agent("", r#""2026-11-24T06:39:00Z""#));
    let text = "Handshakes fail since 2026-11-24T06:39:00Z (1 min ago).\n";
    assert_eq!(server.run(&["doctor"]), ran(2, text, ""));
}

#[test]
fn an_agent_that_cannot_be_asked_is_two() {
    let asked = alone(&["doctor", "-http-addr", "127.0.0.1:1"]);
    assert_eq!(asked.code, 2);
    assert!(asked.err.starts_with("Error asking the agent how it is: "));
}
