//! An attacker at the public listener: more than a hundred hostile certificates signed by the
//! very root that the mesh trusts, stolen ones without their key, handshakes with a piece left
//! out, bytes that are no TLS, and patience. The application hears of none of them, each is
//! refused at once, and a peer with a clean certificate gets in all the while.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

#[path = "hostile_listener/pieces.rs"]
mod pieces;
#[path = "hostile_listener/stage.rs"]
mod stage;

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chancery_tests::anonymous_connector;
use chancery_tests::hostile::{self, HandmadeClient, HandmadeHello};
use rustls::version::{TLS12, TLS13};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::pieces::{DISHONEST, HONEST, send_pieces};
use crate::stage::{GROWTH, PATIENCE, SOON, Stage, assert_ends, at_once, ping, visit};

#[tokio::test]
async fn hostile_certificates_are_refused_while_a_clean_client_gets_in() {
    let stage = Stage::set().await;
    let controls = hostile::controls(&stage.ca).unwrap();
    let cases = hostile::cases(&stage.ca).unwrap();
    assert!(cases.len() >= 60, "{} cases", cases.len());
    let regular = stage.regular();
    let (mut refused, mut let_in, mut sizes) = (0, 0, Vec::new());
    for version in [&TLS13, &TLS12, &TLS13] {
        for control in &controls {
            stage.assert_gets_in(control, version).await;
            let_in += 1;
        }
        for case in &cases {
            let reason = "certificate refused: ";
            stage.assert_refused(case, version, reason).await;
            refused += 1;
        }
        sizes.push(stage.resident());
    }
    assert!(refused >= 3 * 60, "{refused} refused");
    let visits = regular.leave().await;
    assert!(visits >= 100, "the clean client came in {visits} times");
    stage.assert_only(visits + let_in).await;
    assert!(sizes[2] <= sizes[0] + GROWTH, "{sizes:?} KiB");
}

#[tokio::test]
async fn a_certificate_without_the_proof_of_its_key_is_refused() {
    let stage = Stage::set().await;
    let regular = stage.regular();
    let control = stage.control();
    let mut honest = HandmadeClient::greet(stage.db.public()).await.unwrap();
    let echo = send_pieces(&stage, &mut honest, HONEST, &control).await;
    assert_eq!(echo.unwrap(), b"ping");
    for pieces in DISHONEST {
        at_once(&format!("{pieces:?}"), async || {
            let begun = Instant::now();
            let mut client = HandmadeClient::greet(stage.db.public()).await.unwrap();
            let echo = send_pieces(&stage, &mut client, pieces, &control).await;
            let error = echo.expect_err(&format!("{pieces:?} is let in"));
            let kind = error.kind();
            assert_ne!(kind, io::ErrorKind::Other, "{pieces:?}: {error}");
            assert_ne!(kind, io::ErrorKind::TimedOut, "{pieces:?}: {error}");
            begun.elapsed()
        })
        .await;
    }
    let stolen = hostile::stolen(&stage.ca).unwrap();
    for version in [&TLS13, &TLS12] {
        stage.assert_refused(&stolen, version, "").await;
    }
    let visits = regular.leave().await;
    stage.assert_only(visits + 1).await;
}

#[tokio::test]
async fn an_older_handshake_without_its_proof_is_refused() {
    let stage = Stage::set().await;
    let control = stage.control();
    // A new client each time: one that resumes has nothing to prove, and nothing to leave out.
    let connector = || hostile::connector(&control, &TLS12).unwrap();
    let is_proof = |kind: u8, body: &[u8]| kind == 22 && body.first() == Some(&15);
    let whole = hostile::rewritten(stage.db.public(), |_, body| Some(body));
    assert_eq!(
        ping(&connector(), whole.await.unwrap()).await.unwrap(),
        b"ping"
    );
    let left_out = hostile::rewritten(stage.db.public(), move |kind, body| {
        (!is_proof(kind, &body)).then_some(body)
    });
    let bent = hostile::rewritten(stage.db.public(), move |kind, mut body| {
        if is_proof(kind, &body) {
            *body.last_mut()? ^= 1;
        }
        Some(body)
    });
    for stream in [left_out.await.unwrap(), bent.await.unwrap()] {
        let error = ping(&connector(), stream).await.unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    }
    let nobody = visit(&anonymous_connector().unwrap(), stage.db.public()).await;
    assert!(nobody.echo.is_err());
    stage.assert_only(1).await;
}

/// Bytes that are no TLS, or hardly.
fn junk() -> Vec<(&'static str, Vec<u8>)> {
    let hello = HandmadeHello::new(0).unwrap();
    let record = hello.records(usize::MAX);
    let mut noise = 0x9e37_79b9_u32;
    let mut random = || {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        noise.to_be_bytes()[0]
    };
    let mut lengths = record.clone();
    // Where the hello's extensions say how long they are.
    lengths[52] = 0xff;
    vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: db\r\n\r\n".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("zeros", vec![0; 4096]),
        ("ones", vec![0xff; 4096]),
        ("noise", (0..4096).map(|_| random()).collect()),
        ("SSL 2", [&[0x80, 46, 1, 0, 2][..], &[0; 43]].concat()),
        (
            "a record of 65535 bytes",
            [&[22, 3, 1, 0xff, 0xff][..], &[1; 1000]].concat(),
        ),
        ("a hundred empty records", [22, 3, 1, 0, 0].repeat(100)),
        ("data first", [&[23, 3, 3, 0, 4][..], b"ping"].concat()),
        ("an unknown message", vec![22, 3, 3, 0, 4, 99, 0, 0, 0]),
        (
            "a Certificate first",
            vec![22, 3, 3, 0, 8, 11, 0, 0, 4, 0, 0, 0, 0],
        ),
        (
            "a Finished first",
            [&[22, 3, 3, 0, 36, 20, 0, 0, 32][..], &[0; 32]].concat(),
        ),
        (
            "a hello of 16 MB",
            vec![22, 3, 1, 0, 9, 1, 0xff, 0xff, 0xff, 3, 3, 0, 0, 0],
        ),
        ("a hello with false lengths", lengths),
        ("two hellos", record.repeat(2)),
        ("a hello and noise", [record, vec![0x5a; 100]].concat()),
    ]
}

#[tokio::test]
async fn bytes_that_are_no_handshake_are_refused() {
    let stage = Stage::set().await;
    let regular = stage.regular();
    for (name, bytes) in junk() {
        at_once(name, async || {
            let begun = Instant::now();
            let mut stream = TcpStream::connect(stage.db.public()).await.unwrap();
            // It may be refused before all is sent.
            drop(stream.write_all(&bytes).await);
            assert_ends(&mut stream).await;
            begun.elapsed()
        })
        .await;
    }
    let visits = regular.leave().await;
    stage.assert_only(visits).await;
}

#[tokio::test]
async fn a_peer_that_turns_to_noise_is_cut_off_alone() {
    let stage = Stage::set().await;
    let control = stage.control();
    let mut let_in = 0;
    for (name, bytes) in junk() {
        at_once(name, async || {
            let mut client = HandmadeClient::greet(stage.db.public()).await.unwrap();
            let echo = send_pieces(&stage, &mut client, HONEST, &control).await;
            assert_eq!(echo.unwrap(), b"ping");
            let_in += 1;
            let begun = Instant::now();
            let mut stream = client.into_stream();
            drop(stream.write_all(&bytes).await);
            assert_ends(&mut stream).await;
            begun.elapsed()
        })
        .await;
    }
    stage.assert_only(let_in).await;
}

/// Greets with a hello in records of one byte each (RUSTSEC-2024-0399).
async fn greet_in_crumbs(stage: &Stage) -> io::Result<HandmadeClient> {
    let hello = HandmadeHello::new(200)?;
    assert!(hello.message().len() > 200);
    let mut stream = TcpStream::connect(stage.db.public()).await?;
    stream.write_all(&hello.records(1)).await?;
    hello.answered(stream).await
}

#[tokio::test]
async fn a_hello_in_two_hundred_records_is_read_like_any_other() {
    let stage = Stage::set().await;
    let control = stage.control();
    let mut honest = greet_in_crumbs(&stage).await.unwrap();
    let echo = send_pieces(&stage, &mut honest, HONEST, &control).await;
    assert_eq!(echo.unwrap(), b"ping");
    let mut nobody = greet_in_crumbs(&stage).await.unwrap();
    nobody.send(&hostile::certificate(&[])).await.unwrap();
    drop(nobody.send(&nobody.finished()).await);
    nobody.read_data().await.unwrap_err();
    let mut cut = TcpStream::connect(stage.db.public()).await.unwrap();
    let crumbs = HandmadeHello::new(200).unwrap().records(1);
    let broken = [&crumbs[..6 * 150], &[21; 64][..]].concat();
    drop(cut.write_all(&broken).await);
    assert_ends(&mut cut).await;
    stage.assert_only(1).await;
}

/// Certificate messages that are too much, each in whole or as far as it is taken.
fn huge() -> Vec<(&'static str, Vec<u8>)> {
    let promised = hostile::certificate_head(8 << 20);
    vec![
        ("8 MiB", [promised, vec![0; 8 << 20]].concat()),
        ("one of 60 KB", hostile::certificate(&[vec![0x30; 60_000]])),
        (
            "ten thousand of a byte",
            hostile::certificate(&vec![vec![0x30]; 10_000]),
        ),
        (
            "ten thousand of nothing",
            hostile::certificate(&vec![Vec::new(); 10_000]),
        ),
    ]
}

#[tokio::test]
async fn a_huge_certificate_is_refused_and_leaves_no_memory_behind() {
    let stage = Stage::set().await;
    let regular = stage.regular();
    let mut sizes = Vec::new();
    for _ in 0..20 {
        for (name, message) in huge() {
            at_once(name, async || {
                let begun = Instant::now();
                let mut client = HandmadeClient::greet(stage.db.public()).await.unwrap();
                // It may be refused before all is sent.
                drop(client.send(&message).await);
                drop(client.send(&client.finished()).await);
                assert_ends(&mut client.into_stream()).await;
                begun.elapsed()
            })
            .await;
        }
        sizes.push(stage.resident());
    }
    let visits = regular.leave().await;
    stage.assert_only(visits).await;
    let (first, last) = (sizes[0], sizes[sizes.len() - 1]);
    assert!(last <= first + GROWTH, "{sizes:?} KiB");
}

/// Sends a byte now and then until it is no longer taken.
async fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    let mut pace = tokio::time::interval(Duration::from_millis(20));
    for byte in bytes {
        pace.tick().await;
        if stream.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

/// Ways to take one's time; each gives the connection back when it has nothing more to send.
async fn dawdle(way: usize, address: SocketAddr) -> TcpStream {
    let record = HandmadeHello::new(400).unwrap().records(usize::MAX);
    let mut stream = TcpStream::connect(address).await.unwrap();
    match way % 4 {
        0 => {}
        1 => stream.write_all(&record[..record.len() / 2]).await.unwrap(),
        2 => drip(&mut stream, &record).await,
        _ => stream = HandmadeClient::greet(address).await.unwrap().into_stream(),
    }
    stream
}

#[tokio::test]
async fn whoever_takes_his_time_is_cut_at_the_deadline() {
    let stage = Stage::set().await;
    let regular = stage.regular();
    let address = stage.db.public();
    let dawdlers: Vec<_> = (0..60)
        .map(|way| {
            tokio::spawn(async move {
                let begun = Instant::now();
                let mut stream = dawdle(way, address).await;
                assert_ends(&mut stream).await;
                begun.elapsed()
            })
        })
        .collect();
    for (way, dawdler) in dawdlers.into_iter().enumerate() {
        let took = dawdler.await.unwrap();
        assert!(took >= PATIENCE * 9 / 10, "way {way}: cut after {took:?}");
        assert!(took <= PATIENCE * 2, "way {way}: cut after {took:?}");
    }
    let line = "the handshake was not complete after 1.5s";
    stage
        .proxy
        .process()
        .wait_printed(line, SOON)
        .await
        .unwrap();
    let visits = regular.leave().await;
    assert!(visits >= 10, "the clean client came in {visits} times");
    stage.assert_only(visits).await;
}
