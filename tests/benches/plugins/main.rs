//! What a plugin costs, and what it costs others, beside what there is without one.
//!
//! `cargo bench -p chancery-tests --bench plugins`; behind `--`: `--only NAME` (`call`, `load`,
//! `signing`, `agent`, `spinning`, `traps` or `reload`) and `--quick` (every part for an instant,
//! nothing is judged), which is also what `cargo test` runs.
//!
//! - `call`: a call into a warm plugin that does nothing, beside a function here that does the
//!   same; and a fresh instance. The guard is not in it.
//! - `load`: from a file to a plugin that has said what it is, compiled and from the cache.
//! - `signing`: leafs by `local-ca`, whose key the host holds, beside the built-in CA: both
//!   through the guard, checking the CSR included.
//! - `agent`: the same through the HTTP API of two real agents.
//! - `spinning`: authorize at a real agent while it is left alone, and while sixteen calls spin
//!   in its plugin.
//! - `traps`: the memory of this process after ten thousand of them.
//! - `reload`: leafs from a real agent at an even rate while the plugin's file is replaced.
//!
//! Times of `call` and `signing` are processor time of the whole process, so whatever a call
//! has done on another thread is in it.

mod agent;
mod call;
mod load;
mod reload;
mod signing;
mod spinning;
mod stage;
mod traps;

use std::error::Error;
use std::time::Duration;

use chancery_tests::Goals;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// How much is done.
struct Options {
    /// Figures that are worth a judgement.
    full: bool,
    only: Option<String>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let (mut bench, mut quick, mut only) = (false, false, None);
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--bench" => bench = true,
                "--quick" => quick = true,
                "--only" => only = Some(arguments.next().ok_or("--only takes a name")?),
                _ => {}
            }
        }
        let full = bench && !quick;
        Ok(Self { full, only })
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }

    /// A count for figures, or a smaller one to see that it works.
    const fn count(&self, full: usize, trial: usize) -> usize {
        if self.full { full } else { trial }
    }

    /// A time for figures, or an instant.
    const fn window(&self, milliseconds: u64) -> Duration {
        Duration::from_millis(if self.full { milliseconds } else { 50 })
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    if !options.full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
    }
    let mut goals = Goals::new();
    if options.wants("call") {
        call::measure(&options, &mut goals).await?;
    }
    if options.wants("load") {
        load::measure(&options, &mut goals).await?;
    }
    if options.wants("signing") {
        signing::measure(&options, &mut goals).await?;
    }
    if options.wants("agent") {
        agent::measure(&options, &mut goals).await?;
    }
    if options.wants("spinning") {
        spinning::measure(&options, &mut goals).await?;
    }
    if options.wants("traps") {
        traps::measure(&options, &mut goals).await?;
    }
    if options.wants("reload") {
        reload::measure(&options, &mut goals).await?;
    }
    if options.full {
        println!("{goals}");
    }
    Ok(())
}
