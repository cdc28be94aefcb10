//! Lists: what is filtered out of them, and who is woken when they change.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_core::Registration;
use tokio::io::AsyncWriteExt as _;

use super::harness::{Reply, Served, read_reply, serve_with};

/// An agent with `web` and `db` on its own node, and `redis` with a check on a foreign one.
async fn stage() -> Served {
    let served = serve_with(|_| {}).await;
    for (path, body) in [
        (
            "agent/service/register",
            r#"{"Name":"web","Port":80,"Tags":["v1"]}"#,
        ),
        ("agent/service/register", r#"{"Name":"db","Port":5432}"#),
        (
            "catalog/register",
            r#"{"Node":"ext","Address":"10.0.0.1","Service":{"Service":"redis"},
                "Check":{"Name":"c","ServiceID":"redis","Status":"passing"}}"#,
        ),
    ] {
        let reply = served.send(&format!("PUT /v1/{path}"), "", body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    served
}

async fn filtered(served: &Served, path: &str, filter: &str) -> Reply {
    let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    served.get(&format!("/v1/{path}?filter={filter}")).await
}

#[tokio::test]
async fn thirty_open_brackets_are_refused_at_once() {
    let served = stage().await;
    let begin = Instant::now();
    for brackets in [30, 33, 2_000] {
        let reply = filtered(&served, "agent/services", &"(".repeat(brackets)).await;
        assert_eq!(reply.status, 500);
        assert!(
            reply
                .body
                .starts_with("Failed to create boolean expression evaluator: at character"),
            "{reply:?}"
        );
    }
    let deep = format!("{}Port == 80{}", "(".repeat(30), ")".repeat(30));
    let reply = filtered(&served, "agent/services", &deep).await;
    assert!(
        reply.body.contains("web") && !reply.body.contains("db"),
        "{reply:?}"
    );
    assert!(begin.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_part_that_a_service_does_not_have_is_empty() {
    let served = stage().await;
    // Consul's handler crashes here once a proxy is registered.
    let filter = "Proxy.DestinationServiceName == \"\" and v1 in Tags";
    let reply = filtered(&served, "agent/services", filter).await;
    assert_eq!(reply.status, 200);
    assert!(
        reply.body.contains("web") && !reply.body.contains("db"),
        "{reply:?}"
    );
}

#[tokio::test]
async fn patterns_that_take_too_long_are_refused() {
    let served = stage().await;
    for name in 0..40 {
        let body = format!(
            "{{\"Name\":\"c{name}\",\"TTL\":\"1h\",\"Notes\":\"{}\"}}",
            "a".repeat(20_000)
        );
        let reply = served.send("PUT /v1/agent/check/register", "", &body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    let begin = Instant::now();
    let filter = "Notes matches `(a|aa){40}(a|aa)*b`";
    let reply = filtered(&served, "agent/checks", filter).await;
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("patterns take too long"), "{reply:?}");
    assert!(begin.elapsed() < Duration::from_secs(60));
    let reply = filtered(&served, "agent/checks", "Name matches `^c1`").await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn a_check_that_changes_wakes_those_who_watch_its_state() {
    let served = stage().await;
    for path in [
        "/v1/health/state/critical",
        "/v1/health/node/ext",
        "/v1/health/checks/redis",
        "/v1/catalog/node-services/ext",
        "/v1/catalog/node/ext",
    ] {
        let index = served.get(path).await.index();
        let mut waiting = served.connect().await;
        let request = format!(
            "GET {path}?index={index} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        );
        waiting.write_all(request.as_bytes()).await.unwrap();
        let body = format!(
            r#"{{"Node":"ext","SkipNodeUpdate":true,
                "Check":{{"Name":"c","ServiceID":"redis","Output":"after {path}"}}}}"#
        );
        let reply = served.send("PUT /v1/catalog/register", "", &body).await;
        assert_eq!((reply.status, reply.body.as_str()), (200, "true"));
        let reply = read_reply(&mut waiting).await;
        assert!(reply.index() > index, "{path}: {reply:?}");
    }
}

#[tokio::test]
async fn what_was_deregistered_behind_its_agents_back_comes_back() {
    let served = stage().await;
    let agent = Arc::clone(&served.agent);
    tokio::spawn(async move { agent.run().await });
    let body = r#"{"Name":"web","Port":80,"Check":{"TTL":"1h"}}"#;
    let registered = served
        .send("PUT /v1/agent/service/register", "", body)
        .await;
    assert_eq!(registered.status, 200, "{registered:?}");
    for body in [
        r#"{"Node":"n1","ServiceID":"web"}"#,
        r#"{"Node":"N1"}"#,
        r#"{"Node":"n1","CheckID":"service:web"}"#,
    ] {
        let before = served.get("/v1/health/service/web").await;
        assert!(before.body.contains("service:web"), "{before:?}");
        let gone = served.send("PUT /v1/catalog/deregister", "", body).await;
        assert_eq!(gone.status, 200);
        let mut now = served.get("/v1/health/service/web").await;
        while !now.body.contains("service:web") {
            let path = format!("/v1/health/service/web?index={}&wait=10s", now.index());
            let next = served.get(&path).await;
            assert!(next.index() > now.index(), "{body}: {now:?}");
            now = next;
        }
        assert!(now.index() > before.index(), "{body}: {now:?}");
    }
}

#[tokio::test]
async fn a_reload_registers_what_is_new_and_forgets_what_is_named_no_more() {
    let served = stage().await;
    let refused = served.send("PUT /v1/agent/reload", "", "").await;
    assert_eq!(refused.status, 500, "{refused:?}");
    let named = |name: &str| Registration {
        name: name.to_owned(),
        ..Registration::default()
    };
    let rounds = std::sync::Mutex::new(vec![
        Err("config.hcl:1:1: is wrong".to_owned()),
        Ok(vec![named("second")]),
        Ok(vec![named("first"), named("second")]),
    ]);
    served
        .agent
        .reload_from(Arc::new(move || rounds.lock().unwrap().pop().unwrap()));
    let ids = async || {
        let all = served.get("/v1/agent/services").await;
        let all: serde_json::Value = serde_json::from_str(&all.body).unwrap();
        all.as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    for (status, text, expected) in [
        (200, "", &["db", "first", "second", "web"][..]),
        (200, "", &["db", "second", "web"]),
        (500, "config.hcl:1:1: is wrong", &["db", "second", "web"]),
    ] {
        let reply = served.send("PUT /v1/agent/reload", "", "").await;
        assert_eq!((reply.status, reply.body.as_str()), (status, text));
        assert_eq!(ids().await, expected);
    }
}
