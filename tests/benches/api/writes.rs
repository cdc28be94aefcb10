//! Intentions that are durable when they are answered.

use chancery_tests::{Goals, median};
use serde_json::json;

use crate::candidate::Candidate;
use crate::load::{Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

const CONNECTIONS: usize = 64;

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let mut candidates = Vec::new();
    for kind in options.kinds {
        candidates.push(Candidate::start(*kind)?);
    }
    let count = options.count(3_000, 128);
    let mut rates = vec![Vec::new(); candidates.len()];
    for round in 0..options.rounds {
        for (candidate, rates) in candidates.iter().zip(&mut rates) {
            let create = |number: usize| {
                let body = json!({
                    "SourceName": format!("source-{round}-{number}"),
                    "DestinationName": format!("destination-{number}"), "Action": "allow",
                });
                request("POST", "/v1/connect/intentions", &body.to_string())
            };
            let done = drive(candidate.http, CONNECTIONS, Until::Count(count), &create)?;
            rates.push(done.per_second);
        }
    }
    println!("durable intentions from {CONNECTIONS} connections, servers on one disk (writes/s)");
    let rates: Vec<_> = rates.iter().map(|rates| median(rates)).collect();
    for (candidate, rate) in candidates.iter().zip(&rates) {
        println!("{:<20}{rate:>10.0}", candidate.kind.name());
    }
    if let [ours, consuls] = rates.as_slice() {
        goals.at_least("durable writes: times consul's rate", ours / consuls, 3.0);
    }
    Ok(())
}
