//! Load for whatever carries TCP: one generator for our proxies and for those of others.
//!
//! Everything here blocks and uses threads: a generator that costs little leaves the machine
//! to what is measured, and costs every candidate the same.

mod backend;
mod ceiling;
mod connections;
mod cores;
mod getter;
mod goals;
mod latency;
mod median;
mod pair;
mod throughput;
mod traffic;
mod usage;

pub use backend::Backend;
pub use ceiling::Ceiling;
pub use connections::{Opened, hold_connections, open_connections};
pub use cores::{allow_all_cores, keep_to_core};
pub use getter::Getter;
pub use goals::Goals;
pub use latency::{RoundTrips, round_trips};
pub use median::{median, percentile};
pub use pair::{Pair, PairError, call_through};
pub use throughput::throughput;
pub use traffic::{Tally, Traffic};
pub use usage::{cpu_time, private, resident};

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No step of a measurement may take longer.
const PATIENCE: Duration = Duration::from_secs(10);

fn connect(target: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&target, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
