//! Large transfers in both directions at once arrive byte for byte, however slow the reader.
#![expect(
    clippy::indexing_slicing,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::io;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use chancery_tests::{Agent, AgentKind, App, ProxyKind, Service};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const AMOUNT: usize = 48 * 1024 * 1024;
const SOON: Duration = Duration::from_secs(120);

/// Sends `amount` bytes that never repeat within a record, in pieces of odd sizes, and then the
/// end. Returns their digest.
async fn send(mut to: impl AsyncWrite + Unpin, amount: usize, seed: u64) -> io::Result<Vec<u8>> {
    let mut digest = Context::new(&SHA256);
    let mut state = seed;
    let mut left = amount;
    while left > 0 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let size = left.min(1 + (state >> 40) as usize % 150_000);
        let piece: Vec<u8> = (0..size as u64)
            .map(|at| (state.rotate_left((at % 61) as u32) ^ at) as u8)
            .collect();
        digest.update(&piece);
        to.write_all(&piece).await?;
        left -= size;
    }
    to.shutdown().await?;
    Ok(digest.finish().as_ref().to_vec())
}

async fn receive(mut from: impl AsyncRead + Unpin) -> io::Result<(usize, Vec<u8>)> {
    let mut digest = Context::new(&SHA256);
    let mut buffer = vec![0; 100_000];
    let mut amount = 0;
    loop {
        let count = from.read(&mut buffer).await?;
        if count == 0 {
            return Ok((amount, digest.finish().as_ref().to_vec()));
        }
        digest.update(&buffer[..count]);
        amount += count;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_directions_at_once_arrive_unchanged() {
    let (report, mut reports) = tokio::sync::mpsc::unbounded_channel();
    let app = App::start(move |mut stream: TcpStream| {
        let report = report.clone();
        async move {
            let (from, to) = stream.split();
            let (received, sent) = tokio::try_join!(receive(from), send(to, AMOUNT, 2))?;
            // Whoever looked whether the listener is open sent nothing.
            if received.0 == 0 {
                return Ok(());
            }
            report.send((received, sent)).map_err(io::Error::other)
        }
    })
    .await
    .unwrap();
    let agent = Agent::start(AgentKind::Consul).await.unwrap();
    let db = Service::new("db", app.address()).unwrap();
    let web = Service::new("web", app.address())
        .unwrap()
        .calling("db")
        .unwrap();
    let _db_proxy = db.start(&agent, ProxyKind::Chancery).await.unwrap();
    let _web_proxy = web.start(&agent, ProxyKind::Chancery).await.unwrap();

    let mut stream = TcpStream::connect(web.upstream("db")).await.unwrap();
    let (from, to) = stream.split();
    let both = async { tokio::join!(receive(from), send(to, AMOUNT, 1)) };
    let (received, sent) = timeout(SOON, both).await.unwrap();
    let ((amount, received), sent) = (received.unwrap(), sent.unwrap());
    let ((app_amount, app_received), app_sent) = reports.recv().await.unwrap();
    assert_eq!((amount, app_amount), (AMOUNT, AMOUNT));
    assert!(
        received == app_sent,
        "what the application sent arrived changed"
    );
    assert!(app_received == sent, "what the client sent arrived changed");
}

#[tokio::test]
async fn a_reader_that_does_not_read_stops_the_sender_and_nobody_else() {
    let app = App::start(|mut stream: TcpStream| async move {
        let mut first = [0];
        stream.read_exact(&mut first).await?;
        if &first == b"s" {
            // Never reads again.
            std::future::pending::<()>().await;
        }
        let (mut from, mut to) = stream.split();
        tokio::io::copy(&mut from, &mut to).await.map(drop)
    })
    .await
    .unwrap();
    let agent = Agent::start(AgentKind::Consul).await.unwrap();
    let db = Service::new("db", app.address()).unwrap();
    let web = Service::new("web", app.address())
        .unwrap()
        .calling("db")
        .unwrap();
    let _db_proxy = db.start(&agent, ProxyKind::Chancery).await.unwrap();
    let _web_proxy = web.start(&agent, ProxyKind::Chancery).await.unwrap();

    let mut stuck = TcpStream::connect(web.upstream("db")).await.unwrap();
    stuck.write_all(b"s").await.unwrap();
    let piece = vec![0; 1 << 20];
    let mut taken = 0;
    // Socket buffers take some megabytes; then no byte more.
    while let Ok(count) = timeout(Duration::from_millis(300), stuck.write(&piece)).await {
        taken += count.unwrap();
        assert!(
            taken < 256 << 20,
            "{taken} bytes were taken for a reader that does not read"
        );
    }

    let mut other = TcpStream::connect(web.upstream("db")).await.unwrap();
    other.write_all(b"ehello").await.unwrap();
    let mut echoed = [0; 5];
    timeout(SOON, other.read_exact(&mut echoed))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&echoed, b"hello");
}
