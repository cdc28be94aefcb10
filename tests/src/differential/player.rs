//! Plays cases against two agents and compares what they answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;

use super::case::{Case, Cases, Purpose, Step};
use crate::exchange::{Audit, COMPARED_HEADERS, Differences, Ledger, Reply, WireRequest, masked};
use crate::harness::eventually;
use crate::peers::{Agent, AgentError, AgentKind};

/// How long what follows from a request may take to show.
const SETTLED: Duration = Duration::from_secs(30);

/// A Consul and our own agent, both fresh, with one name.
#[derive(Debug)]
struct Pair {
    consul: Side,
    chancery: Side,
}

#[derive(Debug)]
struct Side {
    agent: Agent,
    kept: BTreeMap<String, String>,
}

impl Pair {
    async fn start() -> Result<Self, AgentError> {
        let (consul, chancery) = tokio::try_join!(
            Side::start(AgentKind::Consul),
            Side::start(AgentKind::Chancery)
        )?;
        Ok(Self { consul, chancery })
    }
}

/// Plays the cases of one area against a fresh pair; what is not as the ledger's section means
/// it, or nothing.
///
/// # Errors
/// [`AgentError`] when the agents cannot be had.
///
/// # Panics
/// When a request that brings about a state fails, or an agent does not answer at all.
pub async fn play(area: &str, cases: &Cases, ledger: &Ledger) -> Result<String, AgentError> {
    let mut pair = Pair::start().await?;
    let mut audit = Audit::new(ledger.section(area));
    for case in &cases.cases {
        pair.play(case, &mut audit).await;
    }
    Ok(audit.report())
}

impl Pair {
    async fn play(&mut self, case: &Case, audit: &mut Audit) {
        let mut number = 0;
        for (place, step) in case.steps.iter().enumerate() {
            let next = case.steps.get(place + 1);
            let meanwhile = next.filter(|step| step.purpose == Purpose::Meanwhile);
            if step.purpose == Purpose::Meanwhile {
                continue;
            }
            let (theirs, ours) = tokio::join!(
                self.consul.ask(&case.name, step, meanwhile),
                self.chancery.ask(&case.name, step, meanwhile)
            );
            if step.is_compared() {
                number += 1;
                let name = match number {
                    1 => case.name.clone(),
                    number => format!("{}/{number}", case.name),
                };
                audit.check(&name, &differences(step, &theirs, &ours));
            }
            self.consul.keep(step, &theirs);
            self.chancery.keep(step, &ours);
        }
    }
}

impl Side {
    async fn start(kind: AgentKind) -> Result<Self, AgentError> {
        let agent = Agent::start_named(kind, "n1").await?;
        // An agent tells the catalog of its node a moment after the node is there.
        eventually(SETTLED, async || {
            let nodes = agent.get("/v1/catalog/nodes").await?.to_string();
            match nodes.contains("consul-network-segment") {
                true => Ok(()),
                false => Err(AgentError::Unready { found: nodes }),
            }
        })
        .await?;
        Ok(Self {
            agent,
            kept: BTreeMap::new(),
        })
    }

    fn http(&self) -> SocketAddr {
        self.agent.http()
    }

    /// Asks, until it is as it should be where that is asked for.
    async fn ask(&self, case: &str, step: &Step, meanwhile: Option<&Step>) -> Reply {
        let request = self.filled(&step.request);
        let failed = |error: &dyn std::fmt::Display, request: &WireRequest| -> ! {
            let (kind, path) = (self.agent.kind(), &request.path);
            panic!("{case}: {kind:?} at {path}: {error}")
        };
        let send = async |request: &WireRequest| match request.send(self.http()).await {
            Ok(reply) => reply,
            Err(error) => failed(&error, request),
        };
        match step.purpose {
            Purpose::Until => {
                let settled = eventually(SETTLED, async || {
                    let reply = send(&request).await;
                    match reply.status == 200 && reply.body.contains(&step.until) {
                        true => Ok(reply),
                        false => Err(format!("{reply:?}")),
                    }
                });
                match settled.await {
                    Ok(reply) => reply,
                    Err(found) => failed(&found, &request),
                }
            }
            Purpose::Setup => {
                let reply = send(&request).await;
                if reply.status != 200 {
                    failed(&format!("{reply:?}"), &request);
                }
                reply
            }
            Purpose::Compared | Purpose::Meanwhile => {
                let other = meanwhile.map(|step| self.filled(&step.request));
                let other = async {
                    if let Some(other) = &other {
                        let reply = send(other).await;
                        if reply.status != 200 {
                            failed(&format!("{reply:?}"), other);
                        }
                    }
                };
                tokio::join!(send(&request), other).0
            }
        }
    }

    /// The request with what was kept of this agent's answers.
    fn filled(&self, request: &WireRequest) -> WireRequest {
        let mut filled = request.clone();
        for (name, value) in &self.kept {
            filled.path = filled.path.replace(name, value);
            filled.body = filled.body.replace(name, value);
        }
        filled
    }

    fn keep(&mut self, step: &Step, reply: &Reply) {
        for (name, place) in &step.keep {
            let value = match place.starts_with('/') {
                true => parsed(&reply.body).pointer(place).map(shown),
                false => reply.headers.get(place).cloned(),
            };
            let Some(value) = value else {
                panic!("{place} is not in {reply:?}");
            };
            self.kept.insert(name.clone(), value);
        }
    }
}

/// What differs between two answers.
fn differences(step: &Step, theirs: &Reply, ours: &Reply) -> Differences {
    let mut found = Differences::default();
    let (their_status, our_status) = (theirs.status.to_string(), ours.status.to_string());
    found.compare("status", &their_status, &our_status);
    for name in COMPARED_HEADERS {
        let (theirs, ours) = (header(name, theirs), header(name, ours));
        found.compare(name, &theirs, &ours);
    }
    let (their_body, our_body) = (body(step, &theirs.body), body(step, &ours.body));
    match &step.says {
        None => found.compare("body", &their_body, &our_body),
        Some(_) if their_body == our_body => {
            found.note("says", "the same", "the same: compare it, then");
        }
        Some(words) if !our_body.contains(words.as_str()) => {
            found.note("says", &their_body, &our_body);
        }
        Some(_) => {}
    }
    if let Some(least) = step.waits.map(Duration::from_millis) {
        let waited = |reply: &Reply| (reply.elapsed >= least).to_string();
        found.compare("waits", &waited(theirs), &waited(ours));
    }
    found
}

/// A header's value, or that there is some where it differs from run to run. An index of 1 says
/// that there is none, which is the same in every run.
fn header(name: &str, reply: &Reply) -> String {
    let Some(value) = reply.headers.get(name) else {
        return "none".to_owned();
    };
    match name {
        "Age" | "X-Consul-Contenthash" => "some".to_owned(),
        "X-Consul-Index" if value != "1" => "some".to_owned(),
        _ => value.clone(),
    }
}

fn body(step: &Step, text: &str) -> String {
    if step.only.is_empty() && !step.sorted {
        return masked(text, &step.mask);
    }
    let whole = parsed(text);
    let show = |value: &Value| match value {
        Value::Array(list) if step.sorted => {
            let mut list: Vec<_> = list.iter().map(shown).collect();
            list.sort();
            list.join("\n")
        }
        other => shown(other),
    };
    let places = step.only.iter().map(|place| {
        let found = whole.pointer(place).map(show);
        format!("{place}: {}", found.as_deref().unwrap_or("nothing"))
    });
    let chosen = match step.only.is_empty() {
        true => show(&whole),
        false => places.collect::<Vec<_>>().join("\n"),
    };
    masked(&chosen, &step.mask)
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

/// A text without its quotes, and anything else indented, one field a line.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    }
}
