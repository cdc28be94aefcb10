//! What a change of the CA costs those who are served by it.
//!
//! `cargo bench -p chancery-tests --bench rotation`; behind `--`: `--only NAME` (`load`, `first`,
//! `issuing`, `spread` or `schedules`), `--changes N` and `--leafs N`. Without `--bench` (as `cargo test` runs it) each part is
//! tried for an instant, ours alone, and nothing is judged.
//!
//! - `load`: new connections and open ones through our proxies while the CA is changed again and
//!   again, with cross-signing and without. Beside them a caller that took its roots before each
//!   change and has not asked since.
//! - `first`: from the order of a new root to the first leaf under it, ours and Consul's.
//! - `issuing`: distinct leafs with the limits off, ours and Consul's; and on Vault, beside what
//!   the server does when it is driven directly.
//! - `spread`: the leafs of ten thousand services replaced after a new key.
//! - `schedules`: how many schedules of the simulation are told in a second.
//!
//! A path has room for five new keys within the age that bundles may have, so bundles may be
//! ten seconds old here (`BundleMaxAge`, with `SkipValidate`) instead of seven days.

mod first;
mod issuing;
mod issuing_vault;
mod schedules;
mod spread;
mod under_load;

use std::error::Error;

use chancery_tests::Goals;

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Options {
    full: bool,
    only: Option<String>,
    changes: usize,
    leafs: Option<usize>,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            full: false,
            only: None,
            changes: 10,
            leafs: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or("a value is missing");
            match argument.as_str() {
                "--bench" => options.full = true,
                "--only" => options.only = Some(value()?),
                "--changes" => options.changes = value()?.parse()?,
                "--leafs" => options.leafs = Some(value()?.parse()?),
                _ => {}
            }
        }
        if !options.full {
            options.changes = 1;
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }
}

#[tokio::main(worker_threads = 2)]
async fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    if !options.full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
    }
    let mut goals = Goals::new();
    if options.wants("load") {
        under_load::measure(&options, &mut goals).await?;
    }
    if options.wants("first") {
        first::measure(&options, &mut goals).await?;
    }
    if options.wants("issuing") {
        issuing::measure(&options, &mut goals).await?;
    }
    if options.wants("spread") {
        spread::measure(&options, &mut goals).await?;
    }
    if options.wants("schedules") {
        schedules::measure(&options, &mut goals)?;
    }
    if options.full {
        println!("{goals}");
    }
    Ok(())
}
