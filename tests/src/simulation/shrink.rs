//! Many schedules, and the shortest that goes wrong.

use std::fmt;
use std::ops::Range;

use super::bug::Bug;
use super::clock::Clockwork;
use super::rare::Rare;
use super::run::run;
use super::schedule::Schedule;

/// What many schedules came to.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "read by the tests beside it")]
pub struct Summary {
    /// How many were run.
    pub schedules: u64,
    /// Leafs that were signed in all of them.
    pub leafs: i64,
    /// Rotations that were begun.
    pub rotations: u64,
    /// How many schedules were in each of the rare states.
    pub rare: Vec<(&'static str, u64)>,
    /// The first one that went wrong, made short.
    pub failure: Option<Failure>,
}

/// A schedule that breaks the law, as short as could be found.
#[derive(Clone, Debug)]
#[expect(clippy::exhaustive_structs, reason = "read by the tests beside it")]
pub struct Failure {
    /// `CHANCERY_SIM_SEED=` this runs it again.
    pub seed: u64,
    /// What is wrong.
    pub wrong: String,
    /// What happened, of the shortened schedule.
    pub story: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} (CHANCERY_SIM_SEED={})", self.wrong, self.seed)?;
        for line in &self.story {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// Runs the schedules of these seeds until one goes wrong.
#[must_use]
pub fn simulate(seeds: Range<u64>, bug: Option<Bug>) -> Summary {
    let mut summary = Summary::default();
    let clockwork = Clockwork::new();
    let mut counts = vec![0; Rare::ALL.len()];
    for seed in seeds {
        let schedule = Schedule::generate(seed);
        let ran = run(&schedule, bug, &clockwork, false);
        summary.schedules += 1;
        summary.leafs += ran.leafs;
        summary.rotations += ran.switches.saturating_sub(1);
        for (count, rare) in counts.iter_mut().zip(Rare::ALL) {
            *count += (ran.seen >> *rare as u64) & 1;
        }
        if ran.wrong.is_some() {
            summary.failure = Some(shorten(schedule, bug, &clockwork));
            break;
        }
    }
    summary.rare = Rare::ALL
        .iter()
        .map(|rare| rare.text())
        .zip(counts)
        .collect();
    summary
}

/// The same on all cores, each with its part of the seeds.
#[must_use]
pub fn simulate_on_all_cores(seeds: Range<u64>) -> Summary {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    let part = (seeds.end - seeds.start).div_ceil(cores).max(1);
    let first = seeds.start;
    let parts = (0..cores).map(|core| {
        let from = (first + core * part).min(seeds.end);
        from..(from + part).min(seeds.end)
    });
    let summaries = std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .map(|part| scope.spawn(|| simulate(part, None)))
            .collect();
        running
            .into_iter()
            .map(|part| part.join().expect("a schedule panicked"))
            .collect::<Vec<_>>()
    });
    summaries
        .into_iter()
        .reduce(Summary::and)
        .unwrap_or_default()
}

impl Summary {
    /// Both together; of their failures the one with the lower seed.
    fn and(mut self, other: Self) -> Self {
        self.schedules += other.schedules;
        self.leafs += other.leafs;
        self.rotations += other.rotations;
        for ((_, count), (_, more)) in self.rare.iter_mut().zip(other.rare) {
            *count += more;
        }
        self.failure = self.failure.or(other.failure);
        self
    }
}

/// Runs one schedule and tells all of it, shortened if it goes wrong.
#[must_use]
pub fn replay(seed: u64, bug: Option<Bug>) -> Failure {
    shorten(Schedule::generate(seed), bug, &Clockwork::new())
}

/// Leaves events out, and shortens pauses, as long as something still goes wrong.
fn shorten(mut schedule: Schedule, bug: Option<Bug>, clockwork: &Clockwork) -> Failure {
    let is_wrong = |schedule: &Schedule| run(schedule, bug, clockwork, false).wrong.is_some();
    if is_wrong(&schedule) {
        let mut size = schedule.events.len().div_ceil(2);
        while size > 0 {
            let mut at = 0;
            while at < schedule.events.len() {
                let end = (at + size).min(schedule.events.len());
                let mut shorter = schedule.clone();
                // The time that they took passes all the same, if it must.
                let gap: i64 = shorter.events.drain(at..end).map(|event| event.after).sum();
                if is_wrong(&shorter) {
                    schedule = shorter;
                    continue;
                }
                if let Some(next) = shorter.events.get_mut(at) {
                    next.after += gap;
                    if is_wrong(&shorter) {
                        schedule = shorter;
                        continue;
                    }
                }
                at += size;
            }
            size /= 2;
        }
        for place in 0..schedule.events.len() {
            for divisor in [0, 100, 10, 2] {
                let mut quicker = schedule.clone();
                let after = &mut quicker.events[place].after;
                *after = after.checked_div(divisor).unwrap_or(0);
                if is_wrong(&quicker) {
                    schedule = quicker;
                    break;
                }
            }
        }
    }
    let ran = run(&schedule, bug, clockwork, true);
    let mut story = vec![format!("{:?}", schedule.first)];
    story.extend(ran.told);
    Failure {
        seed: schedule.seed,
        wrong: ran.wrong.unwrap_or_else(|| "nothing is wrong".to_owned()),
        story,
    }
}
