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
    println!("memory of services, each (B)");
    println!(
        "{:<20}{:>10}{:>16}{:>16}",
        "", "services", "without checks", "with a sidecar"
    );
    for kind in options.kinds {
        let services = match kind {
            Kind::Chancery => options.count(10_000, 100),
            // It takes minutes for as many as ours.
            Kind::Consul => options.count(1_000, 100),
        };
        let bare = taken(*kind, services, &|_| json!({}))?;
        let sidecar = taken(*kind, services, &|number| {
            let port = 1_024 + number % 60_000;
            json!({"SidecarService": {"Port": port}})
        })?;
        let name = kind.name();
        println!("{name:<20}{services:>10}{bare:>16.0}{sidecar:>16.0}");
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
