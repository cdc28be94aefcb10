//! Requests over many connections at once.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::{median, percentile};

use crate::Outcome;
use crate::wire::Wire;

/// When enough has been asked.
#[derive(Clone, Copy)]
pub(crate) enum Until {
    Count(usize),
    Time(Duration),
}

/// What came of it; times in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Figures {
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// Asks what `request` makes of each number from 0, over `connections`, each of which waits for
/// its answer before it asks again. A refusal ends it.
pub(crate) fn drive(
    target: SocketAddr,
    connections: usize,
    until: Until,
    request: &(dyn Fn(usize) -> Vec<u8> + Sync),
) -> Outcome<Figures> {
    let wires = (0..connections)
        .map(|_| Wire::connect(target))
        .collect::<io::Result<Vec<_>>>()?;
    let next = AtomicUsize::new(0);
    let begin = Instant::now();
    let mut times = thread::scope(|scope| {
        let workers: Vec<_> = wires
            .into_iter()
            .map(|wire| {
                let next = &next;
                scope.spawn(move || work(wire, next, begin, until, request))
            })
            .collect();
        let mut times = Vec::new();
        for worker in workers {
            let done = worker.join().map_err(|_panic| "a worker panicked")?;
            times.append(&mut done?);
        }
        Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
    })?;
    let elapsed = begin.elapsed().as_secs_f64();
    Ok(Figures {
        per_second: times.len() as f64 / elapsed,
        p50: percentile(&mut times, 50.0),
        p99: percentile(&mut times, 99.0),
    })
}

fn work(
    mut wire: Wire,
    next: &AtomicUsize,
    begin: Instant,
    until: Until,
    request: &(dyn Fn(usize) -> Vec<u8> + Sync),
) -> io::Result<Vec<f64>> {
    let mut times = Vec::new();
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        let enough = match until {
            Until::Count(count) => number >= count,
            Until::Time(window) => begin.elapsed() >= window,
        };
        if enough {
            return Ok(times);
        }
        let request = request(number);
        let start = Instant::now();
        wire.ask(&request)?.checked()?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
}

/// The median of each figure.
pub(crate) fn medians(rounds: &[Figures]) -> Figures {
    let of = |pick: fn(&Figures) -> f64| median(&rounds.iter().map(pick).collect::<Vec<_>>());
    Figures {
        per_second: of(|round| round.per_second),
        p50: of(|round| round.p50),
        p99: of(|round| round.p99),
    }
}
