//! What registered services take.

use std::thread::sleep;
use std::time::Duration;

use chancery_tests::{Goals, private};
use serde_json::{Value, json};

use crate::candidate::{Candidate, Kind};
use crate::load::{Until, drive};
use crate::wire::request;
use crate::{Options, Outcome};

const CONNECTIONS: usize = 8;
/// How long the agent is left alone before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(5);
const PATH: &str = "/v1/agent/service/register";

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let services = options.count(10_000, 100);
    println!("memory of {services} services, each (B)");
    println!("{:<20}{:>16}{:>16}", "", "without checks", "with a sidecar");
    for kind in options.kinds {
        let bare = taken(*kind, services, &|_| json!({}))?;
        let sidecar = taken(*kind, services, &|number| {
            let port = 1_024 + number % 60_000;
            json!({"SidecarService": {"Port": port}})
        })?;
        println!("{:<20}{bare:>16.0}{sidecar:>16.0}", kind.name());
        if *kind == Kind::Chancery {
            goals.at_most("a service without checks (KiB)", bare / 1024.0, 2.0);
            goals.at_most("a service with a sidecar (KiB)", sidecar / 1024.0, 6.0);
        }
    }
    Ok(())
}

fn taken(kind: Kind, services: usize, connect: &(dyn Fn(usize) -> Value + Sync)) -> Outcome<f64> {
    let candidate = Candidate::start(kind)?;
    let register = |number: usize| {
        let body = json!({
            "Name": format!("service-{number}"), "Port": 1_024 + number % 60_000,
            "Connect": connect(number),
        });
        request("PUT", PATH, &body.to_string())
    };
    sleep(SETTLING);
    let before = private(candidate.process())?;
    drive(
        candidate.http,
        CONNECTIONS,
        Until::Count(services),
        &register,
    )?;
    sleep(SETTLING);
    let after = private(candidate.process())?;
    Ok(after.saturating_sub(before) as f64 / services as f64)
}
