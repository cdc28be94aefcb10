//! How many bytes a second get through.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;

use crate::load::backend::{BLOCK, COUNT, COUNTING, LAST};
use crate::load::connect;

/// Sends random bytes over `connections` connections for `window`, and gives the bytes a second
/// that the [`Backend`](crate::Backend) behind `target` counted, until the last of them had
/// arrived.
///
/// # Errors
/// When a connection fails or bytes are lost.
pub fn throughput(target: SocketAddr, connections: usize, window: Duration) -> io::Result<f64> {
    let mut block = vec![0; BLOCK - 1];
    rand::fill(&mut block).map_err(|_unspecified| io::Error::other("no randomness"))?;
    let last = &[block.as_slice(), &[LAST]].concat();
    block.push(!LAST);
    let block = block.as_slice();
    let barrier = &Barrier::new(connections + 1);
    let (total, elapsed) = thread::scope(|scope| {
        let senders: Vec<_> = (0..connections)
            .map(|_| scope.spawn(move || send(target, [block, last], window, barrier)))
            .collect();
        barrier.wait();
        let start = Instant::now();
        let mut total = 0;
        for sender in senders {
            let sent = sender
                .join()
                .map_err(|_panic| io::Error::other("a sender panicked"))??;
            total += sent;
        }
        io::Result::Ok((total, start.elapsed()))
    })?;
    Ok(total as f64 / elapsed.as_secs_f64())
}

fn send(
    target: SocketAddr,
    [block, last]: [&[u8]; 2],
    window: Duration,
    barrier: &Barrier,
) -> io::Result<u64> {
    // Whatever happens, the others must not wait for this one for ever.
    let opened = open(target);
    barrier.wait();
    let mut stream = opened?;
    let end = Instant::now() + window;
    let mut sent = 0;
    while Instant::now() < end {
        stream.write_all(block)?;
        sent += block.len() as u64;
    }
    stream.write_all(last)?;
    sent += last.len() as u64;
    let mut sum = [0; 8];
    stream.read_exact(&mut sum)?;
    let arrived = u64::from_be_bytes(sum);
    if arrived == sent {
        return Ok(arrived);
    }
    Err(io::Error::other(format!(
        "{arrived} bytes arrived of {sent} that were sent"
    )))
}

fn open(target: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect(target)?;
    let mut answer = [0];
    stream.write_all(&[COUNT])?;
    stream.read_exact(&mut answer)?;
    if answer == [COUNTING] {
        return Ok(stream);
    }
    Err(io::Error::other("the backend does not count"))
}
