//! How long a small message takes there and back.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::load::{connect, percentile};

const WARM_UP: usize = 200;

/// Times of small round trips over one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct RoundTrips {
    /// The median, in microseconds.
    pub p50: f64,
    /// The 99th percentile, in microseconds.
    pub p99: f64,
}

/// Sends 64 bytes to `target` and waits until they are back, again and again for `window`.
///
/// # Errors
/// When the connection fails.
pub fn round_trips(target: SocketAddr, window: Duration) -> io::Result<RoundTrips> {
    let mut stream = connect(target)?;
    let message = [0xa5; 64];
    let mut answer = [0; 64];
    let mut times = Vec::with_capacity(100_000);
    let mut end = Instant::now() + window;
    for round in 0.. {
        let start = Instant::now();
        if round == WARM_UP {
            end = start + window;
            times.clear();
        }
        if start >= end {
            break;
        }
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    Ok(RoundTrips {
        p50: percentile(&mut times, 50.0),
        p99: percentile(&mut times, 99.0),
    })
}
