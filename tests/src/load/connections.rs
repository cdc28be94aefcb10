//! How many connections a second get through, and connections that stay.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::connect;

/// Connections that were opened one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Opened {
    /// Those that carried a byte there and back, a second.
    pub per_second: f64,
    /// Those that did not, in all.
    pub failed: u64,
}

/// Opens connections to `target` from `workers` threads for `window`, each as soon as the one
/// before has carried one byte there and back and was closed.
///
/// # Errors
/// When not one connection succeeds.
pub fn open_connections(
    target: SocketAddr,
    workers: usize,
    window: Duration,
) -> io::Result<Opened> {
    let start = Instant::now();
    let end = start + window;
    let (done, failed) = thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| scope.spawn(move || open_until(target, end)))
            .collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap_or_default())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    });
    if done == 0 {
        return Err(io::Error::other(format!("all {failed} connections failed")));
    }
    Ok(Opened {
        per_second: done as f64 / start.elapsed().as_secs_f64(),
        failed,
    })
}

fn open_until(target: SocketAddr, end: Instant) -> (u64, u64) {
    let (mut done, mut failed) = (0, 0);
    let mut key = 0_u8;
    while Instant::now() < end {
        key = key.wrapping_add(1) | 0x80;
        match connect(target).and_then(|mut stream| echo(&mut stream, &[key])) {
            Ok(()) => done += 1,
            Err(_) => failed += 1,
        }
    }
    (done, failed)
}

/// Opens `count` connections that each carry `bytes` bytes there and back and then stay open.
///
/// # Errors
/// When one of them fails.
pub fn hold_connections(
    target: SocketAddr,
    count: usize,
    bytes: usize,
) -> io::Result<Vec<TcpStream>> {
    let block = vec![b'x'; bytes];
    (0..count)
        .map(|_| {
            let mut stream = connect(target)?;
            echo(&mut stream, &block)?;
            Ok(stream)
        })
        .collect()
}

fn echo(stream: &mut TcpStream, block: &[u8]) -> io::Result<()> {
    stream.write_all(block)?;
    let mut answer = vec![0; block.len()];
    stream.read_exact(&mut answer)?;
    if answer == block {
        return Ok(());
    }
    Err(io::Error::other("the echo differs from what was sent"))
}
