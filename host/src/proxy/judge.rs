//! Who may connect to the service: the core's verdict over a watched copy of its intentions.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use arc_swap::ArcSwapOption;
use chancery_core::{
    DefaultPolicy, IntentionCommand, IntentionDraft, IntentionError, IntentionId, IntentionSet,
    Now, ServiceId,
};

use crate::client::ClientError;
use crate::proxy::agent_api::{AgentApi, Answer, AuthorizeRequest, Cursor, IntentionRow};
use crate::random::{self, NoRandomness};

/// What the copy of the rules says of a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It may connect.
    Allowed,
    /// No rule here forbids it, but the agent has to say what else holds.
    Ask,
    /// It may not, and why.
    Denied(String),
}

/// Why a peer does not get in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NoEntry {
    /// It may not.
    Denied(String),
    /// The agent would have to say, and does not answer.
    Unanswered(String),
}

impl fmt::Display for NoEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Denied(reason) | Self::Unanswered(reason)) = self;
        f.write_str(reason)
    }
}

/// Why there are no rules.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// One of them cannot be understood.
    #[error(transparent)]
    Intention(#[from] IntentionError),
    /// There is no seed for the set.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// The rules of one destination.
#[derive(Debug)]
pub(crate) struct Rules {
    set: IntentionSet,
    /// What holds where no rule fits, if the agent says so. Else each new connection asks.
    default: Option<DefaultPolicy>,
}

impl Rules {
    /// Builds the set that decides about `service`. Rules for other destinations are left out.
    ///
    /// # Errors
    /// [`RulesError`], also for one rule that cannot be understood: half a set would allow what the
    /// missing half forbids.
    pub(crate) fn build(
        rows: &[IntentionRow],
        service: &str,
        default: Option<DefaultPolicy>,
    ) -> Result<Self, RulesError> {
        let mut set = IntentionSet::new(random::hash_seed()?);
        let service = service.to_lowercase();
        for row in rows {
            let covered =
                row.destination_name == "*" || row.destination_name.to_lowercase() == service;
            if !covered || foreign(&row.source_ns) || foreign(&row.destination_ns) {
                continue;
            }
            for change in set.propose(&command(row), &|_| true, 2, Now::default())? {
                set.apply(change);
            }
        }
        Ok(Self { set, default })
    }
}

/// No certificate of ours carries another namespace, so such rules match nobody.
fn foreign(namespace: &str) -> bool {
    !matches!(namespace, "" | "*") && !namespace.eq_ignore_ascii_case("default")
}

fn command(row: &IntentionRow) -> IntentionCommand {
    // Anything but a plain `allow` (a rule about HTTP paths, say) is more than a layer-4 proxy
    // can check, so it allows nothing.
    let action = if row.action == "allow" {
        "allow"
    } else {
        "deny"
    };
    let draft = IntentionDraft {
        source_ns: row.source_ns.clone(),
        source_name: row.source_name.clone(),
        destination_ns: row.destination_ns.clone(),
        destination_name: row.destination_name.clone(),
        action: action.to_owned(),
        ..IntentionDraft::default()
    };
    match IntentionId::parse(&row.id) {
        Ok(id) => IntentionCommand::Create { id, draft },
        Err(_) => IntentionCommand::UpsertExact {
            source: row.source_name.clone(),
            destination: row.destination_name.clone(),
            draft,
        },
    }
}

/// Decides about the peers of one service.
#[derive(Debug)]
pub(crate) struct Judge {
    service: String,
    rules: ArcSwapOption<Rules>,
    /// What the agent said last about peers that no rule fits: 0 nothing yet, 1 denied,
    /// 2 allowed. Used only while it does not answer.
    last_default: AtomicU8,
}

impl Judge {
    pub(crate) fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            rules: ArcSwapOption::empty(),
            last_default: AtomicU8::new(0),
        }
    }

    /// The service whose peers are judged.
    pub(crate) fn service(&self) -> &str {
        &self.service
    }

    /// Replaces the rules. Whoever is asked afterwards answers by the new ones.
    pub(crate) fn publish(&self, rules: Rules) {
        self.rules.store(Some(Arc::new(rules)));
    }

    /// The verdict by the rules at hand. Never waits.
    pub(crate) fn verdict(&self, peer: &ServiceId) -> Verdict {
        let Some(rules) = self.rules.load_full() else {
            return Verdict::Denied("the intentions are not known yet".to_owned());
        };
        let default = rules.default.unwrap_or(DefaultPolicy::Deny);
        let decision = rules
            .set
            .decide(peer.service().as_str(), &self.service, default);
        match (decision.allowed(), rules.default) {
            (true, Some(_)) => Verdict::Allowed,
            (false, None) if decision.winner().is_none() => Verdict::Ask,
            (true, None) => Verdict::Ask,
            (false, _) => Verdict::Denied(decision.reason().to_string()),
        }
    }

    /// The final verdict, for which the agent is asked if the rules at hand leave it open.
    ///
    /// While the agent does not answer, its last rules and last default hold.
    ///
    /// # Errors
    /// The reason for a refusal.
    pub(crate) async fn decide(
        &self,
        agent: &AgentApi,
        peer: &ServiceId,
        serial: &str,
    ) -> Result<(), NoEntry> {
        match self.verdict(peer) {
            Verdict::Allowed => return Ok(()),
            Verdict::Denied(reason) => return Err(NoEntry::Denied(reason)),
            Verdict::Ask => {}
        }
        let request = AuthorizeRequest {
            target: &self.service,
            uri: &peer.to_string(),
            serial,
        };
        let fits = self.has_rule(peer);
        match agent.authorize(&request).await {
            Ok(answer) => {
                if !fits {
                    let default = if answer.authorized { 2 } else { 1 };
                    self.last_default.store(default, Ordering::Relaxed);
                }
                // The rules may have changed while the agent answered.
                match (answer.authorized, self.verdict(peer)) {
                    (_, Verdict::Denied(reason)) => Err(NoEntry::Denied(reason)),
                    (true, _) => Ok(()),
                    (false, _) => Err(NoEntry::Denied(answer.reason)),
                }
            }
            Err(_) if fits || self.last_default.load(Ordering::Relaxed) == 2 => Ok(()),
            Err(error) => Err(NoEntry::Unanswered(format!(
                "the agent cannot be asked: {error}"
            ))),
        }
    }

    fn has_rule(&self, peer: &ServiceId) -> bool {
        self.rules.load().as_ref().is_some_and(|rules| {
            let name = peer.service().as_str();
            let decision = rules.set.decide(name, &self.service, DefaultPolicy::Deny);
            decision.winner().is_some()
        })
    }
}

/// Fetches the rules for `service`: from `match` where that can be waited for, else from the
/// list of all (Consul 1.8's `match` has no index).
pub(crate) async fn fetch_rules(
    agent: &AgentApi,
    service: &str,
    from_list: &AtomicBool,
    cursor: Cursor,
) -> Result<Answer<Vec<IntentionRow>>, ClientError> {
    if cursor == Cursor::Start {
        let answer = agent.matching(service, &cursor).await?;
        let waitable = answer.cursor != Cursor::Start;
        from_list.store(!waitable, Ordering::Relaxed);
        if waitable {
            return Ok(answer);
        }
    }
    if from_list.load(Ordering::Relaxed) {
        agent.intentions(&cursor).await
    } else {
        agent.matching(service, &cursor).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_core::SpiffeId;

    fn peer(name: &str) -> ServiceId {
        let uri = format!(
            "spiffe://11111111-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/{name}"
        );
        SpiffeId::parse(&uri).unwrap().service().unwrap().clone()
    }

    fn row(source: &str, destination: &str, action: &str) -> IntentionRow {
        IntentionRow {
            source_name: source.to_owned(),
            destination_name: destination.to_owned(),
            action: action.to_owned(),
            ..IntentionRow::default()
        }
    }

    fn judge(rows: &[IntentionRow], default: Option<DefaultPolicy>) -> Judge {
        let judge = Judge::new("db");
        judge.publish(Rules::build(rows, "db", default).unwrap());
        judge
    }

    #[test]
    fn without_rules_nobody_gets_in() {
        let verdict = Judge::new("db").verdict(&peer("web"));
        assert!(matches!(verdict, Verdict::Denied(_)), "{verdict:?}");
    }

    #[test]
    fn a_rule_decides_where_the_agent_says_its_default() {
        let rows = [row("web", "db", "deny"), row("*", "db", "allow")];
        let judge = judge(&rows, Some(DefaultPolicy::Deny));
        assert!(matches!(judge.verdict(&peer("web")), Verdict::Denied(_)));
        assert_eq!(judge.verdict(&peer("api")), Verdict::Allowed);
    }

    #[test]
    fn the_default_decides_the_rest() {
        let allowing = judge(&[], Some(DefaultPolicy::AclsDisabled));
        assert_eq!(allowing.verdict(&peer("web")), Verdict::Allowed);
        let denying = judge(&[], Some(DefaultPolicy::Deny));
        assert!(matches!(denying.verdict(&peer("web")), Verdict::Denied(_)));
    }

    #[test]
    fn an_agent_that_does_not_say_its_default_is_asked_unless_a_rule_denies() {
        let judge = judge(&[row("web", "db", "deny"), row("api", "*", "allow")], None);
        assert!(matches!(judge.verdict(&peer("web")), Verdict::Denied(_)));
        assert_eq!(judge.verdict(&peer("api")), Verdict::Ask);
        assert_eq!(judge.verdict(&peer("other")), Verdict::Ask);
    }

    #[test]
    fn rules_that_a_layer_4_proxy_cannot_check_allow_nothing() {
        let judge = judge(&[row("web", "db", "")], Some(DefaultPolicy::Allow));
        assert!(matches!(judge.verdict(&peer("web")), Verdict::Denied(_)));
    }

    #[test]
    fn rules_of_other_services_and_namespaces_do_not_count() {
        let mut elsewhere = row("web", "db", "deny");
        elsewhere.destination_ns = "teamA".to_owned();
        let rows = [row("web", "cache", "deny"), elsewhere];
        let judge = judge(&rows, Some(DefaultPolicy::Allow));
        assert_eq!(judge.verdict(&peer("web")), Verdict::Allowed);
    }
}
