use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// A client of an agent that sends `answer` to the first question, and then says nothing until
/// the client leaves.
async fn answering(answer: &'static str) -> (Client, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    let agent = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a client");
        let mut buffer = [0; 4096];
        assert_ne!(stream.read(&mut buffer).await.expect("a question"), 0);
        stream.write_all(answer.as_bytes()).await.expect("written");
        while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {}
    });
    let endpoint = Endpoint {
        address,
        ..Endpoint::default()
    };
    (Client::new(&endpoint).expect("a client"), agent)
}

async fn left(agent: JoinHandle<()>) {
    let ended = timeout(Duration::from_secs(10), agent).await;
    ended.expect("the client leaves").expect("the agent ends");
}

const FIVE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n12345";

#[tokio::test]
async fn an_answer_may_be_as_long_as_allowed_and_no_longer() {
    for (allowed, read) in [(5, true), (4, false)] {
        let (client, agent) = answering(FIVE).await;
        let answer = client.with_longest_answer(allowed).get("/", &[]).await;
        match answer {
            Ok(answer) => {
                assert!(read);
                assert_eq!(answer.body(), b"12345");
                assert!(!format!("{answer:?}").contains("12345"));
            }
            Err(error) => {
                assert!(!read);
                assert_eq!(error.to_string(), "the answer is longer than 4 bytes");
            }
        }
        left(agent).await;
    }
}

#[tokio::test]
async fn an_answer_that_does_not_end_is_given_up_at_the_deadline() {
    let (client, agent) = answering("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n123").await;
    let client = client.with_deadline(Duration::from_millis(50));
    let error = client.get("/v1/x", &[]).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("Get \"http://127.0.0.1:"), "{text}");
    assert!(text.ends_with("/v1/x\": operation timed out"), "{text}");
    drop(client);
    left(agent).await;
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let (client, agent) =
        answering("HTTP/1.1 302 Found\r\nlocation: /v1/y\r\ncontent-length: 0\r\n\r\n").await;
    let error = client.get("/v1/x", &[]).await.unwrap_err();
    assert_eq!(error.status(), Some(http::StatusCode::FOUND));
    drop(client);
    left(agent).await;
}

#[test]
fn addresses_are_hosts_with_ports() {
    for (address, base) in [
        ("", "http://127.0.0.1:8500"),
        ("10.0.0.1:80", "http://10.0.0.1:80"),
        ("http://mesh:8500/", "http://mesh:8500"),
        ("[::1]:8500", "http://[::1]:8500"),
        ("https://mesh:8501/", "https://mesh:8501"),
        ("unix:///tmp/x", "http://localhost"),
    ] {
        let place = Place::parse(address).expect(address);
        assert_eq!(place.base(None), base);
    }
    for (address, base) in [
        ("http://mesh:8500", "http://mesh:8500"),
        ("https://mesh:8501", "https://agent.mesh:8501"),
        ("https://[::1]", "https://agent.mesh:443"),
    ] {
        let place = Place::parse(address).expect(address);
        assert_eq!(place.base(Some("agent.mesh")), base);
    }
    for address in [
        "ftp://x", "unix://", "https://", "http://", "a/b", "u:p@h", "a b",
    ] {
        assert!(Place::parse(address).is_err(), "{address}");
    }
}

#[test]
fn a_name_stays_one_segment() {
    assert_eq!(segment("a/b ?%é"), "a%2Fb%20%3F%25%C3%A9");
    assert_eq!(segment("web-1_2.3~"), "web-1_2.3~");
}

#[test]
fn a_token_is_not_printed() {
    let endpoint = Endpoint {
        token: Some(Secret::new(b"canary".to_vec())),
        basic_auth: Some(Secret::new(b"canary:canary".to_vec())),
        ..Endpoint::default()
    };
    let client = Client::new(&endpoint).expect("a client");
    assert!(!format!("{endpoint:?} {client:?}").contains("canary"));
}
