//! Blocking queries.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt as _;

use super::harness::{SOON, read_reply, serve_with};

fn blocked(path: &str, index: u64) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!(
        "GET {path}{mark}index={index} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
}

#[tokio::test]
async fn a_write_wakes_those_whom_it_concerns() {
    let served = serve_with(|_| {}).await;
    let index = served.intend("web", "db").await;
    let mut list = served.connect().await;
    list.write_all(blocked("/v1/connect/intentions", index).as_bytes())
        .await
        .unwrap();
    let mut other = served.connect().await;
    let path = "/v1/connect/intentions/match?by=destination&name=cache&wait=2s";
    other
        .write_all(blocked(path, index).as_bytes())
        .await
        .unwrap();
    let begin = Instant::now();
    let newer = served.intend("api", "db").await;
    let reply = read_reply(&mut list).await;
    assert!(
        reply.index() > index && reply.body.contains("api"),
        "{reply:?}"
    );
    assert_eq!(reply.index(), newer);
    assert!(begin.elapsed() < Duration::from_secs(2));
    let reply = read_reply(&mut other).await;
    assert_eq!(reply.body, r#"{"cache":null}"#);
    assert!(begin.elapsed() >= Duration::from_millis(1_900));
}

#[tokio::test]
async fn what_follows_a_query_that_waits_is_answered_after_it() {
    let served = serve_with(|_| {}).await;
    let index = served.intend("web", "db").await;
    let waits = |rest: &str| {
        format!(
            "GET /v1/connect/intentions?index={index}{rest} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        )
    };
    let last = "GET /v1/agent/self HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let mut stream = served.connect().await;
    // One that waits in vain, one that does not, and half of the next with them.
    let (begin, end) = last.split_at(12);
    let first = waits("&wait=10ms") + &waits("") + begin;
    stream.write_all(first.as_bytes()).await.unwrap();
    let newer = served.intend("api", "db").await;
    stream.write_all(end.as_bytes()).await.unwrap();
    let reply = read_reply(&mut stream).await;
    let text = format!("{}\r\n\r\n{}", reply.head, reply.body);
    let answers: Vec<_> = text.split("HTTP/1.1 200 OK\r\n").skip(1).collect();
    let [first, second, third] = answers[..] else {
        panic!("{text}");
    };
    let has_index = |answer: &str, index| answer.contains(&format!("X-Consul-Index: {index}\r\n"));
    assert!(
        has_index(first, index) || has_index(first, newer),
        "{first}"
    );
    assert!(
        has_index(second, newer) && second.contains("api"),
        "{second}"
    );
    assert!(third.contains("\"Config\""), "{third}");
}

/// Heads that are as short as they can be written, up to the longest there may be: what they are
/// when they are written anew does not matter.
#[tokio::test]
async fn a_head_that_was_taken_is_taken_after_its_wait() {
    const LONGEST: usize = 16_384;
    let served = serve_with(|settings| settings.limits.head = LONGEST).await;
    let index = served.intend("web", "db").await;
    for length in [LONGEST, LONGEST - 1, LONGEST - 150, LONGEST - 300] {
        let line = format!("GET /v1/connect/intentions?index={index}&wait=10ms HTTP/1.1\n");
        let mut head = line + "Host:localhost\nConnection:close\n" + &"A:b\n".repeat(90);
        head += "Filler:";
        head += &"x".repeat(length - 2 - head.len());
        head += "\n\n";
        assert_eq!(head.len(), length);
        let reply = served.exchange(head.as_bytes()).await;
        assert_eq!(reply.status, 200, "{length} bytes: {reply:?}");
    }
}

#[tokio::test]
async fn stopping_answers_the_blocked_and_ends_in_time() {
    let served = serve_with(|_| {}).await;
    let index = served.intend("web", "db").await;
    let reply = served.send(
        "PUT /v1/agent/service/register",
        "",
        r#"{"Name":"web","Port":1}"#,
    );
    assert_eq!(reply.await.status, 200);
    let service = served.get("/v1/agent/service/web").await;
    let hash = service
        .head
        .lines()
        .find_map(|line| line.strip_prefix("X-Consul-Contenthash: "))
        .unwrap()
        .to_owned();
    let paths = [
        "/v1/connect/intentions".to_owned(),
        "/v1/connect/ca/roots".to_owned(),
        "/v1/agent/connect/ca/roots".to_owned(),
        "/v1/health/connect/none".to_owned(),
        "/v1/catalog/nodes?cached".to_owned(),
        format!("/v1/agent/service/web?hash={hash}"),
    ];
    let mut waiting = Vec::new();
    for path in &paths {
        let mut stream = served.connect().await;
        let request = blocked(path, index + 1_000);
        stream.write_all(request.as_bytes()).await.unwrap();
        waiting.push((path, stream));
    }
    // One that sends half a head must not keep the agent from stopping.
    let mut half = served.connect().await;
    half.write_all(b"GET / HT").await.unwrap();
    // The requests are being waited on once a later one has been answered.
    assert_eq!(served.get("/v1/status/peers").await.status, 200);
    let begin = Instant::now();
    served.shutdown.cancel();
    for (path, stream) in &mut waiting {
        let reply = read_reply(stream).await;
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
    }
    tokio::time::timeout(SOON, served.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    assert!(
        tokio::net::TcpStream::connect(served.address)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn so_many_queries_wait_and_no_more() {
    let served = serve_with(|settings| settings.limits.blocked_per_client = 2).await;
    let request = blocked("/v1/connect/intentions", 1_000);
    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut stream = served.connect().await;
        stream.write_all(request.as_bytes()).await.unwrap();
        waiting.push(stream);
    }
    let end = Instant::now() + SOON;
    let refused = loop {
        let short = blocked("/v1/connect/intentions?wait=50ms", 1_000);
        let reply = served.exchange(short.as_bytes()).await;
        if reply.status != 200 {
            break reply;
        }
        assert!(Instant::now() < end, "the bound was never reached");
    };
    assert_eq!(refused.status, 429, "{refused:?}");
    assert_eq!(
        refused.body,
        "2 blocking queries of one client are waiting already, which is the limit"
    );
    assert_eq!(served.get("/v1/connect/intentions").await.status, 200);
    // Clients that go away give their places back.
    drop(waiting);
    let end = Instant::now() + SOON;
    loop {
        let short = blocked("/v1/connect/intentions?wait=50ms", 1_000);
        if served.exchange(short.as_bytes()).await.status == 200 {
            break;
        }
        assert!(Instant::now() < end, "no place was given back");
    }
}

#[tokio::test]
async fn names_that_nobody_has_leave_no_trace() {
    let served = serve_with(|_| {}).await;
    for number in 0..200 {
        let body = format!(
            "{{\"Target\":\"t{number}\",\"ClientCertURI\":\"spiffe://td.consul/ns/default/dc/dc1/svc/s{number}\"}}"
        );
        let reply = served
            .send("POST /v1/agent/connect/authorize", "", &body)
            .await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert!(reply.head.contains("X-Cache: HIT"), "{reply:?}");
        let path = format!("/v1/health/connect/n{number}?cached");
        assert_eq!(served.get(&path).await.body, "[]");
    }
    assert_eq!(served.get("/v1/connect/intentions").await.index(), 1);
}
