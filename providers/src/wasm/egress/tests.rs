use std::net::Ipv4Addr;
use std::sync::atomic::AtomicU32;

use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;

/// Names of the tests' own; every other is unknown.
fn resolver(name: String) -> Resolving {
    let addresses: Vec<&str> = match name.as_str() {
        "loopback.example" => vec!["127.0.0.1"],
        "loopback6.example" => vec!["::1"],
        "mapped.example" => vec!["::ffff:127.0.0.1"],
        "metadata.example" => vec!["169.254.169.254", "fe80::1"],
        "private.example" => vec!["10.0.0.1", "192.168.0.1", "fd00::1"],
        "nat64.example" => vec!["64:ff9b::7f00:1"],
        "nobody.example" => vec!["0.0.0.0", "::"],
        // The good address refuses connections at once: it is a broadcast one of the test's net.
        "mixed.example" => vec!["10.0.0.1", "127.0.0.1"],
        "empty.example" => vec![],
        _ => return Box::pin(async { Err(std::io::Error::other("no such name")) }),
    };
    let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
    Box::pin(async move { Ok(addresses) })
}

fn egress(entries: &[String], limits: EgressLimits) -> Egress {
    let allow = AllowList::parse(entries.iter().map(String::as_str)).unwrap();
    Egress {
        inner: Arc::new(Inner {
            allow,
            tls: Some(Arc::new(tls_without_roots())),
            limits,
            resolver,
            log: Arc::new(LogTap::new("tested")),
            counts: Counts::default(),
        }),
    }
}

fn tls_without_roots() -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth()
}

fn body(bytes: Vec<u8>) -> WasiBody {
    Full::new(Bytes::from(bytes))
        .map_err(Error::from)
        .boxed_unsync()
}

fn get(url: &str) -> http::Request<WasiBody> {
    let empty = Empty::<Bytes>::new().map_err(Error::from).boxed_unsync();
    http::Request::get(url)
        .header("host", "ca")
        .body(empty)
        .unwrap()
}

async fn send(egress: &Egress, request: http::Request<WasiBody>) -> Result<Exchanged, Error> {
    let mut hooks = egress.hooks();
    hooks.begin_call();
    let sent = hooks.send_request(request, None, Box::new(std::future::ready(Ok(()))));
    Pin::from(sent).await
}

async fn refused(egress: &Egress, request: http::Request<WasiBody>) -> Error {
    match send(egress, request).await {
        Ok((response, _)) => panic!("answered with {}", response.status()),
        Err(error) => error,
    }
}

/// Answers each connection with `answer` after a request's head; counts them.
async fn server(answer: impl Into<Vec<u8>>) -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let visits = Arc::new(AtomicU32::new(0));
    let (answer, counted) = (answer.into(), Arc::clone(&visits));
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = vec![0; 4_096];
                let _read = stream.read(&mut head).await;
                let _written = stream.write_all(&answer).await;
                // Kept open: an answer without an end must be cut by the reader.
                let _more = stream.read(&mut head).await;
            });
        }
    });
    (port, visits)
}

#[tokio::test]
async fn what_is_listed_is_reached_and_counted() {
    let (port, visits) = server("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello").await;
    for (entry, host) in [
        (format!("127.0.0.1:{port}"), "127.0.0.1"),
        (
            format!("loopback.example:{port}@127.0.0.0/8"),
            "loopback.example",
        ),
        (format!("mixed.example:{port}@127.0.0.1"), "mixed.example"),
    ] {
        let egress = egress(&[entry], EgressLimits::default());
        let url = format!("http://{host}:{port}/v1/pki?x=1");
        let (response, _) = send(&egress, get(&url)).await.unwrap();
        assert_eq!(response.status(), 200);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&body[..], b"hello");
        assert_eq!((egress.requests(), egress.denied()), (1, 0));
    }
    assert_eq!(visits.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn twenty_ways_to_somewhere_else_lead_nowhere() {
    let (port, visits) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let (other, others) = server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let names = [
        "ca",
        "loopback",
        "loopback6",
        "mapped",
        "metadata",
        "private",
        "nat64",
        "nobody",
    ];
    let mut entries: Vec<String> = names.map(|name| format!("{name}.example:{port}")).into();
    entries.push(format!("127.0.0.1:{other}"));
    let egress = egress(&entries, EgressLimits::default());
    let urls = [
        // Another host, port or scheme's port than what is listed.
        format!("http://127.0.0.1:{port}/"),
        "http://127.0.0.1/".to_owned(),
        format!("https://localhost:{other}/"),
        format!("http://[::1]:{other}/"),
        format!("http://127.0.0.2:{other}/"),
        format!("http://0.0.0.0:{other}/"),
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        // A listed address in clothes that some resolvers see through.
        format!("http://127.1:{other}/"),
        format!("http://0x7f.0.0.1:{other}/"),
        format!("http://0177.0.0.1:{other}/"),
        format!("http://2130706433:{other}/"),
        format!("http://127.0.0.1.:{other}/"),
        // A listed host where only a user is named, and the other way round.
        format!("http://ca.example:{port}@127.0.0.1:{port}/"),
        format!("http://127.0.0.1:{other}@ca.example:{port}/"),
        format!("http://ca.example.evil.example:{port}/"),
        // Listed names that lead to addresses which are not public.
        format!("http://loopback.example:{port}/"),
        format!("http://loopback6.example:{port}/"),
        format!("http://mapped.example:{port}/"),
        format!("https://metadata.example:{port}/"),
        format!("http://private.example:{port}/"),
        format!("http://nat64.example:{port}/"),
        format!("http://nobody.example:{port}/"),
    ];
    assert!(urls.len() >= 20);
    for (position, url) in urls.iter().enumerate() {
        let error = refused(&egress, get(url)).await;
        let denied = matches!(
            error,
            Error::HttpRequestDenied | Error::DestinationIpProhibited
        );
        assert!(denied, "{url}: {error}");
        let count = u64::try_from(position + 1).unwrap();
        assert_eq!(egress.denied(), count, "{url}");
    }
    assert_eq!(visits.load(Ordering::SeqCst), 0);
    assert_eq!(others.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_is_handed_to_the_plugin_and_not_followed() {
    let (secret, visits) = server("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary").await;
    let answer = format!(
        "HTTP/1.1 307 Away\r\nLocation: http://127.0.0.1:{secret}/\r\nContent-Length: 0\r\n\r\n"
    );
    let (port, _) = server(answer).await;
    let egress = egress(&[format!("127.0.0.1:{port}")], EgressLimits::default());
    let (response, _) = send(&egress, get(&format!("http://127.0.0.1:{port}/")))
        .await
        .unwrap();
    assert_eq!(response.status(), 307);
    refused(&egress, get(&format!("http://127.0.0.1:{secret}/"))).await;
    assert_eq!(visits.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_call_has_as_many_requests_as_it_may_and_the_next_has_them_again() {
    let (port, _) = server("HTTP/1.1 204 No\r\n\r\n").await;
    let limits = EgressLimits {
        requests: 2,
        ..EgressLimits::default()
    };
    let egress = egress(&[format!("127.0.0.1:{port}")], limits);
    let url = format!("http://127.0.0.1:{port}/");
    let mut hooks = egress.hooks();
    for _call in 0..2 {
        hooks.begin_call();
        for good in [true, true, false] {
            let done = Box::new(std::future::ready(Ok(())));
            let sent = Pin::from(hooks.send_request(get(&url), None, done)).await;
            assert_eq!(sent.is_ok(), good);
        }
    }
    assert_eq!(egress.denied(), 2);
}

#[tokio::test]
async fn an_answer_is_as_long_as_it_may_be_and_no_longer() {
    for (length, good) in [(1_000, true), (1_001, false)] {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{}",
            "x".repeat(length)
        );
        let endless = format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
            "x".repeat(length)
        );
        for answer in [answer, endless] {
            let (port, _) = server(answer).await;
            let limits = EgressLimits {
                response_bytes: 1_000,
                ..EgressLimits::default()
            };
            let egress = egress(&[format!("127.0.0.1:{port}")], limits);
            let sent = send(&egress, get(&format!("http://127.0.0.1:{port}/"))).await;
            match sent {
                Ok(_) => assert!(good),
                Err(error) => {
                    let too_long = matches!(error, Error::HttpResponseBodySize(Some(1_000)));
                    assert!(!good && too_long, "{error}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_request_is_as_long_as_it_may_be_and_no_longer() {
    let (port, _) = server("HTTP/1.1 204 No\r\n\r\n").await;
    let limits = EgressLimits {
        request_bytes: 1_000,
        ..EgressLimits::default()
    };
    let egress = egress(&[format!("127.0.0.1:{port}")], limits);
    for (length, good) in [(1_000, true), (1_001, false)] {
        let url = format!("http://127.0.0.1:{port}/");
        let request = http::Request::post(url).header("host", "ca");
        let sent = send(&egress, request.body(body(vec![b'x'; length])).unwrap()).await;
        assert_eq!(sent.is_ok(), good, "{length}");
    }
}

#[tokio::test]
async fn who_never_answers_is_left_in_time() {
    let (port, _) = server(Vec::new()).await;
    let limits = EgressLimits {
        timeout: Duration::from_millis(50),
        ..EgressLimits::default()
    };
    let egress = egress(&[format!("127.0.0.1:{port}")], limits);
    let error = refused(&egress, get(&format!("http://127.0.0.1:{port}/"))).await;
    assert!(matches!(error, Error::HttpResponseTimeout), "{error}");
}

#[tokio::test]
async fn tunnels_and_echoes_are_no_requests() {
    let egress = egress(&["127.0.0.1:1".to_owned()], EgressLimits::default());
    for method in [http::Method::CONNECT, http::Method::TRACE] {
        let mut request = get("http://127.0.0.1:1/");
        *request.method_mut() = method;
        let error = refused(&egress, request).await;
        assert!(matches!(error, Error::HttpRequestDenied), "{error}");
    }
    assert_eq!(egress.denied(), 2);
}

#[tokio::test]
async fn unknown_names_are_not_found_and_not_denied() {
    let entries = [
        "unknown.example:443".to_owned(),
        "empty.example:443".to_owned(),
    ];
    let egress = egress(&entries, EgressLimits::default());
    for host in ["unknown.example", "empty.example"] {
        let error = refused(&egress, get(&format!("https://{host}/"))).await;
        assert!(matches!(error, Error::DestinationNotFound), "{error}");
    }
    assert_eq!(egress.denied(), 0);
}

#[tokio::test]
async fn a_server_whose_ca_was_not_given_is_not_spoken_to() {
    let (port, _) = server("HTTP/1.1 200 OK\r\n\r\n").await;
    let egress = egress(&[format!("127.0.0.1:{port}")], EgressLimits::default());
    let error = refused(&egress, get(&format!("https://127.0.0.1:{port}/"))).await;
    assert!(matches!(error, Error::TlsProtocolError), "{error}");
}

#[tokio::test]
async fn why_there_is_no_answer_is_told_in_the_words_of_the_interface() {
    // Taken, so that nobody else listens there either.
    let taken = tokio::net::TcpSocket::new_v4().unwrap();
    taken.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let nobody = taken.local_addr().unwrap().port();
    let (babbles, _) = server("How do you do?\r\n\r\n").await;
    let cut = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let breaks_off = cut.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (mut stream, _) = cut.accept().await.unwrap();
        let _read = stream.read(&mut [0; 4_096]).await;
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf";
        let _written = stream.write_all(head).await;
    });
    type Told = fn(&Error) -> bool;
    let cases: [(u16, Told); 3] = [
        (nobody, |error| matches!(error, Error::ConnectionRefused)),
        (babbles, |error| matches!(error, Error::HttpProtocolError)),
        (breaks_off, |error| {
            matches!(error, Error::ConnectionTerminated)
        }),
    ];
    for (port, told) in cases {
        let egress = egress(&[format!("127.0.0.1:{port}")], EgressLimits::default());
        let error = refused(&egress, get(&format!("http://127.0.0.1:{port}/"))).await;
        assert!(told(&error), "{error}");
    }
}

#[test]
fn a_ca_file_is_read_only_if_anybody_may_be_reached() {
    let missing = Path::new("/nonexistent/ca.pem");
    let log = || Arc::new(LogTap::new("tested"));
    let nobody = AllowList::default();
    Egress::new(nobody, Some(missing), EgressLimits::default(), log()).unwrap();
    let somebody = AllowList::parse(["127.0.0.1:1"]).unwrap();
    let refused = Egress::new(somebody, Some(missing), EgressLimits::default(), log());
    let says = refused.err().unwrap().to_string();
    assert!(
        says.starts_with("http_ca_file \"/nonexistent/ca.pem\" cannot be read"),
        "{says}"
    );
}
