//! What one client can take, and that others are answered meanwhile.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpSocket;

use super::harness::{SOON, read_reply, serve_with};
use crate::http::decode::MAX_DEPTH;

#[tokio::test]
async fn heads_that_do_not_end_are_cut_off_and_others_are_answered() {
    let served = serve_with(|settings| {
        settings.limits.head_time = Duration::from_millis(300);
        settings.limits.connections_per_client = 300;
    })
    .await;
    let begin = Instant::now();
    let mut slow = Vec::new();
    for count in 0..200 {
        let mut stream = served.connect().await;
        if count % 2 == 0 {
            stream.write_all(b"GET / HTTP/1.1\r\nX-A: ").await.unwrap();
        }
        slow.push(stream);
    }
    assert_eq!(served.get("/v1/connect/intentions").await.status, 200);
    for stream in &mut slow {
        assert_eq!(read_reply(stream).await.status, 0);
    }
    assert!(begin.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn an_idle_connection_outlives_the_head_time_and_ends_at_the_idle_time() {
    let served = serve_with(|settings| {
        settings.limits.head_time = Duration::from_millis(100);
        settings.limits.idle_time = Duration::from_millis(600);
    })
    .await;
    let mut stream = served.connect().await;
    stream
        .write_all(b"GET /v1/status/peers HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .unwrap();
    let begin = Instant::now();
    let reply = read_reply(&mut stream).await;
    assert_eq!(reply.status, 200);
    assert!(begin.elapsed() >= Duration::from_millis(500), "{begin:?}");
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read_and_while_it_is() {
    let served = serve_with(|settings| settings.limits.body = 1_000).await;
    let announced = "POST /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\
                     Content-Length: 1073741824\r\n\r\n";
    let reply = served.exchange(announced.as_bytes()).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert_eq!(
        reply.body,
        "the request body is larger than 1000 bytes, which is the limit"
    );
    let chunk = format!("1f4\r\n{}\r\n", "x".repeat(500));
    let chunked = |chunks: usize| {
        format!(
            "POST /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Transfer-Encoding: chunked\r\n\r\n{}0\r\n\r\n",
            chunk.repeat(chunks)
        )
    };
    assert_eq!(served.exchange(chunked(3).as_bytes()).await.status, 413);
    // At the limit it is read, and is no JSON.
    assert_eq!(served.exchange(chunked(2).as_bytes()).await.status, 500);
}

#[tokio::test]
async fn large_bodies_share_a_room_and_small_ones_need_none() {
    let served = serve_with(|settings| settings.limits.bodies = 100_000).await;
    let head = "POST /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\
                Connection: close\r\nContent-Length: 100000\r\n\r\n";
    let mut holder = served.connect().await;
    holder.write_all(head.as_bytes()).await.unwrap();
    holder.write_all(&[b' '; 99_999]).await.unwrap();
    let whole = [head.as_bytes(), &[b' '; 100_000]].concat();
    let end = Instant::now() + SOON;
    let refused = loop {
        let reply = served.exchange(&whole).await;
        if reply.status != 500 {
            break reply;
        }
        assert!(Instant::now() < end, "the room was never full");
    };
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(served.intend("web", "db").await > 1);
    holder.write_all(b" ").await.unwrap();
    assert_eq!(
        read_reply(&mut holder).await.body,
        "Failed to decode request body: EOF"
    );
    // The room is free again, and the body is read, and is nothing.
    let reply = served.exchange(&whole).await;
    assert_eq!(reply.status, 500, "{reply:?}");
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_given_up() {
    let served = serve_with(|settings| {
        settings.limits.body_time = Duration::from_millis(200);
    })
    .await;
    let begun = "POST /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\
                 Content-Length: 100\r\n\r\n{\"Source";
    let reply = served.exchange(begun.as_bytes()).await;
    assert_eq!(reply.status, 408, "{reply:?}");
}

#[tokio::test]
async fn deep_json_is_refused_on_every_road() {
    let served = serve_with(|_| {}).await;
    let deep = format!("{{\"Meta\":{}", "[".repeat(100_000));
    for line in [
        "POST /v1/connect/intentions",
        "PUT /v1/connect/intentions/exact?source=a&destination=b",
        "PUT /v1/connect/intentions/aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
        "POST /v1/agent/connect/authorize",
        "PUT /v1/agent/service/register",
        "PUT /v1/agent/check/register",
        "PUT /v1/agent/check/update/x",
    ] {
        let reply = served.send(line, "", &deep).await;
        let expected = format!("JSON is nested more than {MAX_DEPTH} levels deep");
        assert!(reply.body.ends_with(&expected), "{line}: {reply:?}");
        assert!(matches!(reply.status, 400 | 500), "{line}: {reply:?}");
    }
}

#[tokio::test]
async fn heads_are_bounded_in_bytes_and_lines() {
    let served = serve_with(|settings| settings.limits.head = 16_384).await;
    let head = |headers: &str| {
        format!(
            "GET /v1/status/peers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
        )
    };
    let long = format!("X-A: {}\r\n", "a".repeat(8_000));
    assert_eq!(served.exchange(head(&long).as_bytes()).await.status, 200);
    let longer = format!("X-A: {}\r\n", "a".repeat(20_000));
    assert_eq!(served.exchange(head(&longer).as_bytes()).await.status, 431);
    let many = "X-A: b\r\n".repeat(98);
    assert_eq!(served.exchange(head(&many).as_bytes()).await.status, 200);
    let too_many = "X-A: b\r\n".repeat(99);
    assert_eq!(
        served.exchange(head(&too_many).as_bytes()).await.status,
        431
    );
    let query = format!("/v1/connect/intentions?{}", "a&".repeat(1_001));
    assert_eq!(served.get(&query).await.status, 400);
}

#[tokio::test]
async fn a_client_has_so_many_connections_and_gets_them_back() {
    let served = serve_with(|settings| settings.limits.connections_per_client = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = served.connect().await;
        stream
            .write_all(b"GET /v1/status/peers HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await
            .unwrap();
        let mut first = [0];
        stream.read_exact(&mut first).await.unwrap();
        held.push(stream);
    }
    let mut refused = served.connect().await;
    assert_eq!(read_reply(&mut refused).await.status, 429);
    drop(held);
    let end = Instant::now() + SOON;
    while served.get("/v1/status/peers").await.status != 200 {
        assert!(Instant::now() < end, "no connection was given back");
    }
}

#[tokio::test]
async fn a_greedy_client_takes_nothing_from_another() {
    let served = serve_with(|settings| {
        settings.limits.connections = 250;
        settings.limits.connections_per_client = 200;
    })
    .await;
    let from = async |last: u8| {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(served.address).await.unwrap()
    };
    let mut greedy = Vec::new();
    for _ in 0..400 {
        greedy.push(from(2).await);
    }
    // The last of them has been looked at once it is refused.
    assert_eq!(read_reply(greedy.last_mut().unwrap()).await.status, 429);
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let begin = Instant::now();
        let mut other = from(3).await;
        other
            .write_all(
                b"GET /v1/status/peers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            )
            .await
            .unwrap();
        let reply = read_reply(&mut other).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        slowest = slowest.max(begin.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped() {
    let served = serve_with(|settings| {
        settings.limits.write_time = Duration::from_millis(300);
        settings.limits.connections_per_client = 1;
    })
    .await;
    for number in 0..40 {
        served
            .intend(&"x".repeat(2_000), &format!("db{number}"))
            .await;
    }
    let mut deaf = served.connect().await;
    let request = "GET /v1/connect/intentions HTTP/1.1\r\nHost: localhost\r\n\r\n";
    // The requests themselves stop being read once the answers do not fit.
    let flood = request.repeat(2_000);
    drop(tokio::time::timeout(SOON, deaf.write_all(flood.as_bytes())).await);
    let end = Instant::now() + SOON;
    while served.get("/v1/status/peers").await.status != 200 {
        assert!(Instant::now() < end, "the deaf client was never dropped");
    }
}
