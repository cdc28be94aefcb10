//! What a clean client notices of attackers, and what those hear.

mod attack;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use chancery_tests::Goals;
use tokio::sync::watch;

use self::attack::{ATTACKS, Attack, Heard};
use crate::candidate::{Candidate, Kind};
use crate::load::{Figures, Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

/// How long the attackers may take until all of them are at work.
const READY: Duration = Duration::from_secs(30);
const STEP: Duration = Duration::from_millis(10);

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    println!("a clean client on one connection, while others misbehave");
    println!(
        "{:<14}{:<24}{:>12}{:>10}{:>10}  what the others hear, a second",
        "", "", "requests/s", "p50 (ms)", "p99 (ms)"
    );
    for kind in options.kinds {
        row(*kind, "nobody", &[], options, goals)?;
        for attack in ATTACKS {
            row(
                *kind,
                attack.name,
                std::slice::from_ref(attack),
                options,
                goals,
            )?;
        }
        row(*kind, "all of these", ATTACKS, options, goals)?;
    }
    Ok(())
}

/// One line, with an agent of its own: what an attack before has cost it does not count.
fn row(
    kind: Kind,
    name: &str,
    attacks: &[Attack],
    options: &Options,
    goals: &mut Goals,
) -> Outcome<()> {
    let candidate = Candidate::start(kind)?;
    let (found, heard) = attacked(&candidate, attacks, options)?;
    let [p50, p99] = [found.p50, found.p99].map(|micros| micros / 1e3);
    let rate = found.per_second;
    println!(
        "{:<14}{name:<24}{rate:>12.0}{p50:>10.2}{p99:>10.2}  {}",
        kind.name(),
        said(&heard)
    );
    if kind == Kind::Chancery {
        goals.at_most(&format!("{name}: p99 of a clean client (ms)"), p99, 50.0);
        if let [attack] = attacks
            && let Some(expected) = attack.refusal
        {
            let all: f64 = heard.values().sum();
            let refused = heard.get(&Heard::Status(expected)).copied();
            goals.at_least(
                &format!("{name}: part refused with {expected}"),
                refused.unwrap_or_default() / all,
                1.0,
            );
        }
    }
    Ok(())
}

/// The clean client's figures, and how often a second the attackers heard what.
fn attacked(
    candidate: &Candidate,
    attacks: &[Attack],
    options: &Options,
) -> Outcome<(Figures, BTreeMap<Heard, f64>)> {
    let (over, is_over) = watch::channel(false);
    let begun = Arc::new(AtomicUsize::new(0));
    let attacks: Vec<_> = attacks.iter().map(|attack| attack.sized(options)).collect();
    let attackers = attacks.iter().map(|attack| attack.connections).sum();
    let http = candidate.http;
    let crowd = thread::spawn({
        let begun = Arc::clone(&begun);
        move || attack::run(http, &attacks, &begun, &is_over)
    });
    let begin = Instant::now();
    while begun.load(Ordering::Relaxed) < attackers && begin.elapsed() < READY {
        thread::sleep(STEP);
    }
    let found = clean(candidate, options);
    over.send_replace(true);
    let heard = crowd.join().map_err(|_panic| "an attacker panicked")?;
    let seconds = begin.elapsed().as_secs_f64();
    let heard = heard?
        .into_iter()
        .map(|(what, times)| (what, times as f64 / seconds))
        .collect();
    Ok((found?, heard))
}

/// Asks the two things that every proxy asks, in turn.
fn clean(candidate: &Candidate, options: &Options) -> Outcome<Figures> {
    let caller = "spiffe://a.consul/ns/default/dc/dc1/svc/web";
    let body = format!(r#"{{"Target":"db","ClientCertURI":"{caller}"}}"#);
    let questions = [
        request("POST", "/v1/agent/connect/authorize", &body),
        request("GET", "/v1/health/connect/db", ""),
    ];
    let ask = |number: usize| {
        let [first, second] = &questions;
        if number.is_multiple_of(2) {
            first.clone()
        } else {
            second.clone()
        }
    };
    drive(candidate.http, 1, Until::Time(options.window), &ask)
}

fn said(heard: &BTreeMap<Heard, f64>) -> String {
    let mut parts = Vec::new();
    for (what, times) in heard {
        parts.push(format!("{what}: {times:.0}"));
    }
    parts.join(", ")
}
