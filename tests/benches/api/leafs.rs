//! Certificates: new ones, and those that are known already.

use chancery_tests::{Goals, median};
use serde_json::json;

use crate::candidate::Candidate;
use crate::load::{Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

const CONNECTIONS: usize = 16;

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let mut candidates = Vec::new();
    for kind in options.kinds {
        let candidate = Candidate::start(*kind)?;
        lift_limits(&candidate)?;
        candidates.push(candidate);
    }
    let count = options.count(500, 16);
    let until = Until::Time(options.window);
    let known = |path: &'static str| move |_: usize| request("GET", path, "");
    let roots = known("/v1/agent/connect/ca/roots");
    let leaf = known("/v1/agent/connect/ca/leaf/web");
    let mut rates = vec![<[Vec<f64>; 3]>::default(); candidates.len()];
    for round in 0..options.rounds {
        for (candidate, [new, known_roots, known_leaf]) in candidates.iter().zip(&mut rates) {
            let ask = |number: usize| {
                let path = format!("/v1/agent/connect/ca/leaf/new-{round}-{number}");
                request("GET", &path, "")
            };
            let http = candidate.http;
            new.push(drive(http, CONNECTIONS, Until::Count(count), &ask)?.per_second);
            candidate.ask("GET", "/v1/agent/connect/ca/leaf/web", "")?;
            known_roots.push(drive(http, CONNECTIONS, until, &roots)?.per_second);
            known_leaf.push(drive(http, CONNECTIONS, until, &leaf)?.per_second);
        }
    }
    let rates: Vec<_> = rates
        .iter()
        .map(|rates| rates.each_ref().map(|rates| median(rates)))
        .collect();
    println!("certificates over {CONNECTIONS} connections, limits off (answers/s)");
    println!(
        "{:<20}{:>12}{:>12}{:>12}",
        "", "new leafs", "roots", "one leaf"
    );
    for (candidate, [new, roots, leaf]) in candidates.iter().zip(&rates) {
        println!(
            "{:<20}{new:>12.0}{roots:>12.0}{leaf:>12.0}",
            candidate.kind.name()
        );
    }
    if let [ours, consuls] = rates.as_slice() {
        let goal = [
            ("new leafs", 5.0),
            ("known roots", 4.0),
            ("a known leaf", 4.0),
        ];
        for ((what, times), (ours, consuls)) in goal.iter().zip(ours.iter().zip(consuls)) {
            goals.at_least(
                &format!("{what}: times consul's rate"),
                ours / consuls,
                *times,
            );
        }
    }
    Ok(())
}

/// Lets the candidate sign as many leafs as are asked for.
pub(crate) fn lift_limits(candidate: &Candidate) -> Outcome<()> {
    let body = json!({"Provider": "consul", "Config": {
        "LeafCertTTL": "72h", "IntermediateCertTTL": "8760h", "RotationPeriod": "2160h",
        "CSRMaxPerSecond": 0, "CSRMaxConcurrent": 0,
    }});
    candidate.ask("PUT", "/v1/connect/ca/configuration", &body.to_string())?;
    Ok(())
}
