//! What the HTTP API takes and gives, beside Consul and beside a bare server.
//!
//! `cargo bench -p chancery-tests --bench api`; behind `--`: `--only NAME` (`authorize`, `leafs`,
//! `writes`, `watchers`, `memory`, `trouble`, `names` or `soak`), `--minutes N` for `soak`, and
//! `--quick` (every candidate for an instant, nothing is judged). Without `--bench` (as `cargo
//! test` runs it) ours is tried alone for an instant.
//!
//! - `authorize`: random callers over 1, 16 and 64 connections, with three intentions and with
//!   ten thousand on the one destination. The bare server is the same axum and tokio set-up; it
//!   reads the body and answers one of the same size.
//! - `leafs`: certificates of services that never had one, limits off; then roots and a leaf
//!   that are known already.
//! - `writes`: intentions from 64 connections, each durable when it is answered.
//! - `watchers`: ten thousand blocking queries for one key, from the write to the last answer;
//!   and a write for another key, which concerns nobody.
//! - `memory`: ten thousand services without checks, and as many with a sidecar and its checks
//!   (a thousand of Consul's).
//! - `trouble`: what a clean client notices of two thousand half-open sockets, bodies that
//!   announce a gigabyte, JSON a hundred thousand deep, conflicting lengths, a megabyte of
//!   headers, foreign hosts and origins, and all of it at once; and what the attackers hear.
//! - `names`: what a million names that nobody knows leave behind.
//! - `soak`: services, checks, intentions, leafs and blocking queries that come and go for some
//!   minutes, and the memory, tasks and files that are left of them.
//!
//! The generator shares the machine with what is measured, alike for every candidate.

mod authorize;
mod bare;
mod candidate;
mod leafs;
mod load;
mod memory;
mod names;
mod soak;
mod trouble;
mod watchers;
mod wire;
mod writes;

use std::error::Error;
use std::time::Duration;

use chancery_tests::Goals;

use self::candidate::Kind;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// A part of the bench: takes its measures and compares them with the goals.
type Part = fn(&Options, &mut Goals) -> Outcome<()>;

/// How much is done.
struct Options {
    /// Figures that are worth a judgement.
    full: bool,
    /// Everybody, or ours alone.
    kinds: &'static [Kind],
    /// How long things come and go.
    minutes: u32,
    only: Option<String>,
    /// How often each figure is taken; its median counts.
    rounds: usize,
    /// How long a rate is measured.
    window: Duration,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut bench, mut quick, mut only, mut minutes) = (false, false, None, 1);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--quick" => quick = true,
                "--minutes" => {
                    minutes = arguments
                        .next()
                        .ok_or("--minutes takes a number")?
                        .parse()?
                }
                "--only" => only = Some(arguments.next().ok_or("--only takes a name")?),
                _ => {}
            }
        }
        let full = bench && !quick;
        let kinds: &[_] = if bench || quick {
            &[Kind::Chancery, Kind::Consul]
        } else {
            &[Kind::Chancery]
        };
        Ok(Self {
            full,
            kinds,
            minutes,
            only,
            rounds: if full { 3 } else { 1 },
            window: Duration::from_millis(if full { 3_000 } else { 200 }),
        })
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// A count for figures, or a smaller one to see that it works.
    const fn count(&self, full: usize, trial: usize) -> usize {
        if self.full { full } else { trial }
    }
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(bare::ARGUMENT) {
        return bare::serve(arguments.next().ok_or("a size is missing")?.parse()?);
    }
    let options = Options::parse(std::env::args().skip(1))?;
    if !options.full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
    }
    let mut goals = Goals::new();
    let parts: [(&str, Part); 8] = [
        ("authorize", authorize::measure),
        ("leafs", leafs::measure),
        ("writes", writes::measure),
        ("watchers", watchers::measure),
        ("memory", memory::measure),
        ("trouble", trouble::measure),
        ("names", names::measure),
        ("soak", soak::measure),
    ];
    for (name, measure) in parts {
        if options.wants(name) {
            measure(&options, &mut goals)?;
            println!();
        }
    }
    if options.full {
        println!("{goals}");
    }
    Ok(())
}
