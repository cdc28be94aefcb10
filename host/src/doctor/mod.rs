//! What will expire, run out or stop renewing, and what to do about it.
//!
//! One examination feeds `chancery doctor` and the metric
//! `chancery_seconds_to_first_failed_handshake`. It looks at what is committed and at what this
//! agent holds; it needs no certificate that is still valid.

mod authority;
mod first_failure;
mod leafs;
mod machine;
mod provider;
#[cfg(test)]
mod tests;

use std::time::Duration;

use chancery_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::agent::Agent;

/// The findings of one examination, in order of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Report {
    /// When the agent was examined, by its own clock.
    pub now: Timestamp,
    /// When the first handshake fails if nothing is done; in the past if one fails already.
    /// `None` without a CA.
    pub first_failed_handshake: Option<Timestamp>,
    /// What was found: what is broken first, then everything in order of time.
    pub findings: Vec<Finding>,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// How it stands.
    pub state: State,
    /// When it bites, or happens; `None` if that has no time.
    pub at: Option<Timestamp>,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub what: String,
    /// What to do; nothing where nothing is to be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
    /// From then on handshakes fail because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fails_handshakes_at: Option<Timestamp>,
    /// From then on no leafs are signed because of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stops_signing_at: Option<Timestamp>,
}

/// How something stands. The order is that of urgency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// It does not work now.
    Broken,
    /// Somebody must do something until its time, or soon if it has none.
    Due,
    /// It takes care of itself.
    Fine,
}

impl Finding {
    fn new(state: State, subject: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            state,
            at: None,
            subject: subject.into(),
            what: what.into(),
            advice: None,
            fails_handshakes_at: None,
            stops_signing_at: None,
        }
    }

    fn at(mut self, at: Timestamp) -> Self {
        self.at = Some(at);
        self
    }

    fn advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// Handshakes fail from then on.
    fn failing_from(mut self, at: Timestamp) -> Self {
        self.fails_handshakes_at = Some(at);
        self
    }

    /// No leafs are signed from then on.
    fn unsigned_from(mut self, at: Timestamp) -> Self {
        self.stops_signing_at = Some(at);
        self
    }
}

/// What the findings come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Verdict {
    /// Nothing needs anybody within the horizon.
    Fine,
    /// Something does.
    Warning,
    /// Something does not work now.
    Broken,
}

impl Report {
    /// Examines `agent`.
    pub async fn of(agent: &Agent) -> Self {
        let now = agent.server().clock().now().wall;
        let view = agent.server().view();
        let state = view.state().authority();
        let host = agent.authority();
        let leafs = agent.leafs().facts();
        let mut findings = machine::findings(agent, now);
        if agent.settings().connect {
            findings.extend(authority::findings(state, host, &leafs, now));
            findings.extend(leafs::findings(state, &leafs, now));
            findings.extend(provider::findings(host.provider_findings().await, now));
        }
        let first = agent
            .settings()
            .connect
            .then(|| first_failure::find(state, &findings, &leafs, now))
            .flatten();
        findings.sort_by(|one, other| {
            let key = |finding: &Finding| {
                let timeless = finding.state == State::Fine && finding.at.is_none();
                (finding.state != State::Broken, timeless, finding.at)
            };
            key(one).cmp(&key(other))
        });
        Self {
            now,
            first_failed_handshake: first,
            findings,
        }
    }

    /// What it comes to for whoever looks `within` ahead.
    #[must_use]
    pub fn verdict(&self, within: Duration) -> Verdict {
        let horizon = self.now.saturating_add(within);
        let first = self.first_failed_handshake;
        let broken = |finding: &&Finding| finding.state == State::Broken;
        if self.findings.iter().any(|it| broken(&it)) || first.is_some_and(|at| at <= self.now) {
            return Verdict::Broken;
        }
        let due = self.findings.iter().any(|finding| {
            finding.state == State::Due && finding.at.is_none_or(|at| at <= horizon)
        });
        if due || first.is_some_and(|at| at <= horizon) {
            return Verdict::Warning;
        }
        Verdict::Fine
    }
}
