//! The application behind every candidate.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The first byte of a connection whose bytes are counted instead of sent back.
pub(super) const COUNT: u8 = b'#';

/// What the backend answers when it has begun to count.
pub(super) const COUNTING: u8 = b'+';

/// What is to be counted comes in blocks of this size, because the end of a stream may not: a
/// Consul proxy passes no half-close on.
pub(super) const BLOCK: usize = 256 * 1024;

/// The last byte of the last block, and of no other.
pub(super) const LAST: u8 = b'!';

const STACK: usize = 128 * 1024;

/// A server that sends back what it gets, or counts it if the first byte asks for that and
/// answers the sum at the end. It lives until the process ends.
#[derive(Clone, Copy, Debug)]
pub struct Backend {
    address: SocketAddr,
}

impl Backend {
    /// Starts it on a free port of loopback.
    ///
    /// # Errors
    /// When there is no free port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        another(&Arc::new(Pool {
            listener,
            waiting: AtomicUsize::new(0),
        }))?;
        Ok(Self { address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Threads that accept and serve; there is always one more than there are connections.
struct Pool {
    listener: TcpListener,
    waiting: AtomicUsize,
}

fn another(pool: &Arc<Pool>) -> io::Result<()> {
    pool.waiting.fetch_add(1, Ordering::SeqCst);
    let pool = Arc::clone(pool);
    thread::Builder::new().stack_size(STACK).spawn(move || {
        let mut room = vec![0; BLOCK];
        while let Ok((stream, _)) = pool.listener.accept() {
            if pool.waiting.fetch_sub(1, Ordering::SeqCst) == 1 && another(&pool).is_err() {
                return;
            }
            // How a connection ends is the client's to judge.
            drop(serve(stream, &mut room));
            pool.waiting.fetch_add(1, Ordering::SeqCst);
        }
    })?;
    Ok(())
}

fn serve(mut stream: TcpStream, room: &mut [u8]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut count = stream.read(room)?;
    if room.first() == Some(&COUNT) && count == 1 {
        return sum(stream, room);
    }
    while count > 0 {
        stream.write_all(room.get(..count).unwrap_or_default())?;
        count = stream.read(room)?;
    }
    Ok(())
}

fn sum(mut stream: TcpStream, room: &mut [u8]) -> io::Result<()> {
    stream.write_all(&[COUNTING])?;
    let mut total = 0;
    loop {
        let count = stream.read(room)?;
        let Some(last) = count.checked_sub(1) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        total += count;
        if total % BLOCK == 0 && room.get(last) == Some(&LAST) {
            return stream.write_all(&(total as u64).to_be_bytes());
        }
    }
}
