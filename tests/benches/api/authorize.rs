//! Who may connect, asked by random callers.

use std::net::SocketAddr;

use chancery_tests::Goals;
use serde_json::json;

use crate::bare::Bare;
use crate::candidate::Candidate;
use crate::load::{Figures, Until, drive, medians};
use crate::wire::request;
use crate::{Options, Outcome};

const PATH: &str = "/v1/agent/connect/authorize";
const WRITERS: usize = 64;

pub(crate) fn measure(options: &Options, goals: &mut Goals) -> Outcome<()> {
    let mut candidates = Vec::new();
    for kind in options.kinds {
        candidates.push(Candidate::start(*kind)?);
    }
    let trust_domains = candidates
        .iter()
        .map(trust_domain)
        .collect::<Outcome<Vec<_>>>()?;
    let mut ours_before: Vec<(usize, Figures)> = Vec::new();
    let many = options.count(10_000, 200);
    let mut known = 0;
    for intentions in [3, many] {
        for candidate in &candidates {
            intend(candidate, known, intentions)?;
        }
        known = intentions;
        println!("authorize, {intentions} intentions on the destination (requests/s, µs)");
        let bare = Bare::start(answer_size(&candidates, &trust_domains)?)?;
        let mut targets = vec![("axum, bare", bare.http, "td".to_owned())];
        for (candidate, trust_domain) in candidates.iter().zip(&trust_domains) {
            targets.push((candidate.kind.name(), candidate.http, trust_domain.clone()));
        }
        let mut ours = Vec::new();
        for connections in [1, 16, 64] {
            let figures = row(options, &targets, connections)?;
            if let [bare, own, consul] = figures.as_slice() {
                judge(goals, intentions, connections, [bare, own, consul]);
            }
            ours.extend(figures.get(1).map(|own| (connections, *own)));
        }
        for ((connections, before), (_, now)) in ours_before.iter().zip(&ours) {
            let part = now.per_second / before.per_second;
            let what = format!("authorize, {connections} conns: part of the rate with three");
            goals.at_least(&what, part, 0.95);
        }
        ours_before = ours;
    }
    Ok(())
}

fn row(
    options: &Options,
    targets: &[(&str, SocketAddr, String)],
    connections: usize,
) -> Outcome<Vec<Figures>> {
    let mut rounds = vec![Vec::new(); targets.len()];
    for _ in 0..options.rounds {
        for ((_, http, trust_domain), rounds) in targets.iter().zip(&mut rounds) {
            let ask = |number| question(trust_domain, number);
            let until = Until::Time(options.window);
            rounds.push(drive(*http, connections, until, &ask)?);
        }
    }
    let figures: Vec<_> = rounds.iter().map(|rounds| medians(rounds)).collect();
    for (
        (name, ..),
        Figures {
            per_second,
            p50,
            p99,
        },
    ) in targets.iter().zip(&figures)
    {
        println!("{connections:>4}  {name:<20}{per_second:>10.0}{p50:>10.0}{p99:>10.0}");
    }
    Ok(figures)
}

fn judge(goals: &mut Goals, intentions: usize, connections: usize, figures: [&Figures; 3]) {
    let [bare, ours, consul] = figures;
    let place = format!("authorize, {intentions}, {connections} conns");
    goals.at_least(
        &format!("{place}: part of bare's rate"),
        ours.per_second / bare.per_second,
        0.9,
    );
    goals.at_most(
        &format!("{place}: p99 (µs)"),
        ours.p99,
        (consul.p99 / 5.0).max(bare.p99 * 1.2),
    );
}

fn trust_domain(candidate: &Candidate) -> Outcome<String> {
    let roots = candidate.json("/v1/agent/connect/ca/roots")?;
    let found = roots.get("TrustDomain").and_then(|value| value.as_str());
    Ok(found.ok_or("roots without a trust domain")?.to_owned())
}

fn answer_size(candidates: &[Candidate], trust_domains: &[String]) -> Outcome<usize> {
    let (ours, trust_domain) = candidates
        .first()
        .zip(trust_domains.first())
        .ok_or("nobody to measure")?;
    let caller = format!("spiffe://{trust_domain}/ns/default/dc/dc1/svc/caller-0");
    let body = body(&caller);
    Ok(ours.ask("POST", PATH, &body)?.body.len())
}

/// Intentions of callers with the one destination, from number `from` on, every other a denial.
fn intend(candidate: &Candidate, from: usize, to: usize) -> Outcome<()> {
    let create = |number: usize| {
        let number = number + from;
        let action = if number.is_multiple_of(2) {
            "allow"
        } else {
            "deny"
        };
        let body = json!({
            "SourceName": format!("caller-{number}"), "DestinationName": "db", "Action": action,
        });
        request("POST", "/v1/connect/intentions", &body.to_string())
    };
    drive(candidate.http, WRITERS, Until::Count(to - from), &create)?;
    Ok(())
}

/// A caller that looks random and is the same for every candidate; half of them are unknown.
fn question(trust_domain: &str, number: usize) -> Vec<u8> {
    let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let caller = mixed % 20_000;
    let uri = format!("spiffe://{trust_domain}/ns/default/dc/dc1/svc/caller-{caller}");
    request("POST", PATH, &body(&uri))
}

fn body(caller: &str) -> String {
    format!(r#"{{"Target":"db","ClientCertURI":"{caller}","ClientCertSerial":"09:3a"}}"#)
}
