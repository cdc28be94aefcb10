//! What a web page can send does not get in.

use super::harness::serve_with;

#[tokio::test]
async fn a_request_for_another_host_gets_nothing() {
    let served = serve_with(|settings| settings.host_names = vec!["mesh.example".into()]).await;
    for (host, status) in [
        ("localhost", 200),
        ("127.0.0.1:8500", 200),
        ("[::1]:8500", 200),
        ("mesh.example", 200),
        ("evil.test", 403),
        ("127.0.0.1.evil.test:8500", 403),
    ] {
        let request = format!(
            "GET /v1/connect/intentions HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        );
        let reply = served.exchange(request.as_bytes()).await;
        assert_eq!(reply.status, status, "{host}: {reply:?}");
        assert!(
            reply.head.contains("X-Content-Type-Options: nosniff"),
            "{reply:?}"
        );
        assert!(!reply.head.to_lowercase().contains("access-control"));
    }
    let without = served
        .exchange(b"GET /v1/connect/intentions HTTP/1.1\r\nConnection: close\r\n\r\n")
        .await;
    assert_eq!(without.status, 400, "{without:?}");
}

#[tokio::test]
async fn a_write_from_a_foreign_page_writes_nothing() {
    let served = serve_with(|_| {}).await;
    let body = r#"{"SourceName":"evil","DestinationName":"db","Action":"allow"}"#;
    for headers in [
        "Origin: http://evil.test\r\nContent-Type: text/plain\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\nSec-Fetch-Mode: navigate\r\n",
    ] {
        let reply = served
            .send("POST /v1/connect/intentions", headers, body)
            .await;
        assert_eq!(reply.status, 403, "{headers}: {reply:?}");
    }
    let service = r#"{"Name":"web","Check":{"HTTP":"http://10.0.0.1/","Interval":"1s"}}"#;
    let reply = served
        .send(
            "PUT /v1/agent/service/register",
            "Origin: http://evil.test\r\n",
            service,
        )
        .await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert_eq!(served.get("/v1/connect/intentions").await.body, "[]");
    assert_eq!(served.get("/v1/agent/services").await.body, "{}");
    let own = served
        .send(
            "POST /v1/connect/intentions",
            "Origin: http://localhost\r\nSec-Fetch-Site: same-origin\r\n",
            body,
        )
        .await;
    assert_eq!(own.status, 200, "{own:?}");
}

#[tokio::test]
async fn a_command_line_without_a_content_type_is_understood() {
    let served = serve_with(|_| {}).await;
    assert!(served.intend("web", "db").await > 1);
}

#[tokio::test]
async fn paths_that_hide_something_are_refused() {
    let served = serve_with(|_| {}).await;
    for path in [
        "/v1/agent/service/we%01b",
        "/v1/agent/service/a%0d%0ab",
        "/v1/agent/service/%e2%80%ae",
        "/v1/agent/service/%ff",
        "/v1/agent/service/%zz",
        "/v1/agent/service/%00",
    ] {
        let reply = served.get(path).await;
        assert_eq!((reply.status, reply.body.as_str()), (400, ""), "{path}");
    }
    let reply = served.get("/v1/agent/service/a%3Cb%3E%22").await;
    assert_eq!(reply.status, 404);
    assert!(reply.head.contains("Content-Type: text/plain"), "{reply:?}");
}
