//! Load that goes on while something else happens: new connections at an even rate, and others
//! that stay open and are used all the time.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::load::connect;

/// How often a byte goes there and back over each connection that stays.
const BEAT: Duration = Duration::from_millis(100);

/// Connections are opened by so many threads, so that one that hangs does not hold up the rest.
const WORKERS: u32 = 16;

/// What came of the load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tally {
    /// New connections that carried a byte there and back.
    pub opened: u64,
    /// New connections that did not: the handshake of the proxies failed.
    pub failed: u64,
    /// Connections that were open and ended before the load did.
    pub dropped: u64,
    /// Bytes that went there and back over connections that stay.
    pub beats: u64,
    /// What the failed and the dropped ones said, and when after the start of the load.
    pub reasons: BTreeMap<String, Vec<u64>>,
}

impl Tally {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.opened += other.opened;
        self.failed += other.failed;
        self.dropped += other.dropped;
        self.beats += other.beats;
        for (reason, mut moments) in other.reasons {
            self.reasons.entry(reason).or_default().append(&mut moments);
        }
        self
    }

    fn lost(&mut self, reason: &io::Error, since: Instant) {
        let moment = u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let reason = reason.to_string();
        self.reasons.entry(reason).or_default().push(moment);
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            opened,
            failed,
            dropped,
            beats,
            reasons,
        } = self;
        write!(
            f,
            "{opened} new connections, {failed} failed, {dropped} dropped, {beats} round trips"
        )?;
        for (reason, moments) in reasons {
            write!(f, "\n  {reason} (ms after the start: {moments:?})")?;
        }
        Ok(())
    }
}

/// Load on one entry. Dropping it leaves it to end by itself.
#[derive(Debug)]
pub struct Traffic {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Tally>>,
}

impl Traffic {
    /// Opens `rate` connections a second to `target`, and `held` that stay.
    ///
    /// # Errors
    /// When one that shall stay cannot be opened, or a thread not be started.
    pub fn start(target: SocketAddr, rate: u32, held: usize) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let since = Instant::now();
        let streams = (0..held)
            .map(|_| beaten(target))
            .collect::<io::Result<Vec<_>>>()?;
        let mut threads = vec![spawn({
            let stop = Arc::clone(&stop);
            move || hold(target, streams, since, &stop)
        })?];
        for worker in 0..WORKERS {
            let stop = Arc::clone(&stop);
            let schedule = Schedule {
                next: since + Duration::from_secs(1) * worker / rate.max(1),
                step: Duration::from_secs(1) * WORKERS / rate.max(1),
            };
            threads.push(spawn(move || open(target, schedule, since, &stop))?);
        }
        Ok(Self { stop, threads })
    }

    /// Ends the load and says what came of it.
    #[must_use]
    pub fn stop(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        self.threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_default())
            .fold(Tally::default(), Tally::and)
    }
}

fn spawn(work: impl FnOnce() -> Tally + Send + 'static) -> io::Result<JoinHandle<Tally>> {
    thread::Builder::new().stack_size(256 * 1024).spawn(work)
}

struct Schedule {
    next: Instant,
    step: Duration,
}

fn open(target: SocketAddr, mut schedule: Schedule, since: Instant, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::SeqCst) {
        let now = Instant::now();
        if now < schedule.next {
            thread::sleep((schedule.next - now).min(BEAT));
            continue;
        }
        // What could not be done in time is left out, not done all at once later.
        schedule.next = (schedule.next + schedule.step).max(now);
        match beaten(target) {
            Ok(_stream) => tally.opened += 1,
            Err(error) => {
                tally.failed += 1;
                tally.lost(&io::Error::other(format!("failed: {error}")), since);
            }
        }
    }
    tally
}

/// Uses each connection once a beat; one that ends is opened anew.
fn hold(
    target: SocketAddr,
    mut streams: Vec<TcpStream>,
    since: Instant,
    stop: &AtomicBool,
) -> Tally {
    let mut tally = Tally::default();
    while !stop.load(Ordering::SeqCst) {
        let begin = Instant::now();
        for stream in &mut streams {
            match beat(stream) {
                Ok(()) => tally.beats += 1,
                Err(error) => {
                    tally.dropped += 1;
                    tally.lost(&io::Error::other(format!("dropped: {error}")), since);
                    if let Ok(another) = beaten(target) {
                        *stream = another;
                    }
                }
            }
        }
        thread::sleep(BEAT.saturating_sub(begin.elapsed()));
    }
    tally
}

fn beaten(target: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect(target)?;
    beat(&mut stream)?;
    Ok(stream)
}

fn beat(stream: &mut TcpStream) -> io::Result<()> {
    let mut answer = [0];
    stream.write_all(b"?")?;
    stream.read_exact(&mut answer)?;
    if answer == *b"?" {
        return Ok(());
    }
    Err(io::Error::other("the echo differs from what was sent"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Backend;

    #[test]
    fn a_target_that_answers_loses_nothing_and_one_that_is_gone_is_counted() {
        let backend = Backend::start().unwrap();
        let traffic = Traffic::start(backend.address(), 100, 3).unwrap();
        thread::sleep(Duration::from_millis(500));
        let tally = traffic.stop();
        assert!(tally.opened >= 20 && tally.beats >= 6, "{tally}");
        assert_eq!((tally.failed, tally.dropped), (0, 0), "{tally}");

        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let target = listener.local_addr().unwrap();
        let closing = thread::spawn(move || drop(listener.accept()));
        assert!(Traffic::start(target, 1, 1).is_err());
        closing.join().unwrap();
        let traffic = Traffic::start(target, 100, 0).unwrap();
        thread::sleep(Duration::from_millis(200));
        let tally = traffic.stop();
        assert!(tally.failed > 5 && tally.opened == 0, "{tally}");
    }
}
