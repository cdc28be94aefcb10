//! What names that nobody knows leave behind.

use std::thread::sleep;
use std::time::Duration;

use chancery_tests::{Goals, private};

use crate::candidate::{Candidate, Kind};
use crate::leafs::lift_limits;
use crate::load::{Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

const CONNECTIONS: usize = 8;
/// How long the agent is left alone before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(5);
/// More than an agent keeps of leafs for services that are not its own, several times over.
const WARM: usize = 100_000;
/// A million names that are remembered take more than 50. Between leafs that come and go the
/// allocator's needs go up and down by as much as this.
const GROWTH: f64 = 16.0;
const MIB: f64 = 1_048_576.0;

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let (warm, names) = (options.count(WARM, 100), options.count(1_000_000, 400));
    let candidate = Candidate::start(Kind::Chancery)?;
    lift_limits(&candidate)?;
    println!("memory after {warm} names that nobody knows, and after {names} more (MiB)");
    println!("{:<20}{:>10}{:>10}", "", "before", "after");
    for (what, ask) in [
        ("authorize", authorize as fn(&str) -> Vec<u8>),
        ("leaf", leaf),
    ] {
        let before = taken(&candidate, &|number| ask(&format!("warm-{number}")), warm)?;
        let after = taken(&candidate, &|number| ask(&format!("new-{number}")), names)?;
        println!("{what:<20}{before:>10.1}{after:>10.1}");
        goals.at_most(
            &format!("{what}, a million names: growth (MiB)"),
            after - before,
            GROWTH,
        );
    }
    Ok(())
}

/// The memory in MiB after so many requests.
fn taken(
    candidate: &Candidate,
    ask: &(dyn Fn(usize) -> Vec<u8> + Sync),
    requests: usize,
) -> Outcome<f64> {
    drive(candidate.http, CONNECTIONS, Until::Count(requests), ask)?;
    sleep(SETTLING);
    Ok(private(candidate.process())? as f64 / MIB)
}

fn authorize(name: &str) -> Vec<u8> {
    let caller = format!("spiffe://a.consul/ns/default/dc/dc1/svc/caller-of-{name}");
    let body = format!(r#"{{"Target":"{name}","ClientCertURI":"{caller}"}}"#);
    request("POST", "/v1/agent/connect/authorize", &body)
}

fn leaf(name: &str) -> Vec<u8> {
    let path = format!("/v1/agent/connect/ca/leaf/{name}");
    request("GET", &path, "")
}
