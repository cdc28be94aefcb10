//! Requests whose length two parsers could read in two ways.

use super::harness::serve_with;

const BODY: &str = r#"{"Target":"db","ClientCertURI":"x"}"#;

#[tokio::test]
async fn ambiguous_requests_are_refused_and_the_connection_is_closed() {
    let served = serve_with(|_| {}).await;
    let smuggled = "GET /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\r\n";
    for (name, head) in [
        (
            "two lengths",
            "Content-Length: 35\r\nContent-Length: 36\r\n\r\n",
        ),
        ("a list of lengths", "Content-Length: 35, 36\r\n\r\n"),
        ("a signed length", "Content-Length: +35\r\n\r\n"),
        ("a hexadecimal length", "Content-Length: 0x23\r\n\r\n"),
        ("an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n"),
        (
            "chunked is not last",
            "Transfer-Encoding: chunked, identity\r\n\r\n",
        ),
        ("a space before the colon", "Content-Length : 35\r\n\r\n"),
        (
            "a folded line",
            "X-A: b\r\n c\r\nContent-Length: 35\r\n\r\n",
        ),
        (
            "a bare carriage return",
            "X-A: b\rContent-Length: 35\r\n\r\n",
        ),
        (
            "a NUL in a value",
            "X-A: b\0c\r\nContent-Length: 35\r\n\r\n",
        ),
    ] {
        let request = format!(
            "POST /v1/agent/connect/authorize HTTP/1.1\r\nHost: localhost\r\n{head}{BODY}{smuggled}"
        );
        let reply = served.exchange(request.as_bytes()).await;
        assert_eq!(reply.status, 400, "{name}: {reply:?}");
        assert!(!reply.body.contains("HTTP/1.1 200"), "{name}: {reply:?}");
    }
}

#[tokio::test]
async fn a_chunk_of_a_broken_size_ends_the_connection() {
    let served = serve_with(|_| {}).await;
    for size in ["zz", "-5", "fffffffffffffffff", "5 5"] {
        let request = format!(
            "POST /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\
             Transfer-Encoding: chunked\r\n\r\n{size}\r\nhello\r\n0\r\n\r\n"
        );
        let reply = served.exchange(request.as_bytes()).await;
        assert_eq!(reply.status, 400, "{size}: {reply:?}");
    }
    assert_eq!(served.get("/v1/connect/intentions").await.body, "[]");
}
