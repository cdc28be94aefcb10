//! How many whole lives of a trust domain the simulation tells in a second, on one core.

use std::time::Instant;

use chancery_tests::Goals;
use chancery_tests::simulation::simulate;

use crate::{Options, Outcome};

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let schedules = if options.full { 50_000 } else { 200 };
    let begin = Instant::now();
    let run = simulate(0..schedules, None);
    let rate = schedules as f64 / begin.elapsed().as_secs_f64();
    if let Some(failure) = run.failure {
        return Err(failure.to_string().into());
    }
    println!("{schedules} schedules of the simulation: {rate:.0} a second");
    if options.full {
        goals.at_least("schedules of the simulation (1/s)", rate, 2000.0);
    }
    Ok(())
}
