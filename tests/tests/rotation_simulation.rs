//! The law of rotation under everything that can go wrong at once: whole lives of a trust domain
//! in virtual time, each decided by a seed. The authority and the guard around its providers are the
//! product's own.
//!
//! `CHANCERY_SIM_SEED=7 cargo test --test rotation_simulation -- --nocapture` tells one of them,
//! shortened if it goes wrong; `CHANCERY_SIM_SCHEDULES=1000000` runs a million instead of the
//! usual hundred thousand, and `CHANCERY_SIM_FROM` begins at another seed.

use std::time::Instant;

use chancery_tests::simulation::{Bug, replay, simulate, simulate_on_all_cores};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().expect("a number"))
}

#[test]
fn every_leaf_verifies_against_every_bundle_in_use_whatever_happens() {
    if let Some(seed) = number("CHANCERY_SIM_SEED") {
        println!("{}", replay(seed, None));
        let run = simulate(seed..seed + 1, None);
        assert!(run.failure.is_none(), "see above");
        return;
    }
    let schedules = number("CHANCERY_SIM_SCHEDULES").unwrap_or(100_000);
    let from = number("CHANCERY_SIM_FROM").unwrap_or(0);
    let start = Instant::now();
    let run = simulate_on_all_cores(from..from + schedules);
    if let Some(failure) = &run.failure {
        panic!("{failure}");
    }
    println!(
        "{} schedules with {} rotations and {} leafs in {:?}, seeds from {from}",
        run.schedules,
        run.rotations,
        run.leafs,
        start.elapsed()
    );
    for (state, count) in &run.rare {
        println!("{count:>8}  {state}");
    }
    // Not in a short run, which somebody asked for.
    if schedules >= 100_000 {
        let seldom: Vec<_> = run.rare.iter().filter(|(_, count)| *count < 100).collect();
        assert!(seldom.is_empty(), "reached too seldom: {seldom:?}");
    }
}

#[test]
fn planted_mistakes_are_found() {
    for bug in Bug::ALL {
        let run = simulate(0..20_000, Some(bug));
        let failure = run
            .failure
            .unwrap_or_else(|| panic!("{bug:?} is not found"));
        println!(
            "{bug:?}, after {} schedules: {}",
            run.schedules, failure.wrong
        );
        // The story is short enough to be read.
        assert!(failure.story.len() < 200, "{failure}");
    }
}

#[test]
fn the_same_seed_gives_the_same_life() {
    for seed in 0..50 {
        let told = [replay(seed, None), replay(seed, None)];
        assert_eq!(told[0].story, told[1].story);
    }
}
