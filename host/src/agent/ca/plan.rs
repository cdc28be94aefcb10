//! What a change of the CA would do.

use chancery_core::{LONGEST_PATH, RotationCause, ServiceKind, Timestamp};
use serde::{Deserialize, Serialize};

use super::LeafCounts;
use crate::agent::Agent;
use crate::server::{Change, ChangeError, Foreseen};

/// What a change would do, and to whom, if it were begun now. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Plan {
    /// Why it would be refused, if it would be.
    pub refused: Option<String>,
    /// Whether it would change anything.
    pub changes: bool,
    /// The provider that would sign.
    pub provider: String,
    /// Whether there would be a new root; nothing if only the provider can tell.
    pub new_root: Option<bool>,
    /// Whether the CA that signs now would sign the new root.
    pub cross_signed: bool,
    /// Certificates that would be sent with a leaf, itself among them.
    pub path_length: usize,
    /// As many are accepted.
    pub longest_path: usize,
    /// Valid leafs of this agent, which would all be replaced.
    pub leafs: usize,
    /// Services of the datacenter.
    pub services: usize,
    /// Proxies of the datacenter, each with the connections that it alone knows.
    pub proxies: usize,
    /// What may fail, and until when.
    pub risks: Vec<Risk>,
    /// The time at the agent.
    pub now: Timestamp,
}

/// Something that may fail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Risk {
    /// What.
    pub what: String,
    /// Until when; nothing if it does not end by itself.
    pub until: Option<Timestamp>,
}

impl Plan {
    /// What `change` would do at this agent's server.
    pub async fn of(agent: &Agent, change: &Change) -> Self {
        let foreseen = agent.authority().foresee(change).await;
        let host = agent.authority();
        let view = host.server().view();
        let authority = view.state().authority();
        let now = host.server().clock().now().wall;
        let counts = LeafCounts::of(authority, &agent.leafs().by_issuer());
        let catalog = view.state().catalog();
        let mut plan = Self {
            refused: None,
            changes: true,
            provider: change.provider.clone(),
            new_root: None,
            cross_signed: false,
            path_length: 0,
            longest_path: LONGEST_PATH,
            leafs: counts.total,
            services: catalog.services().len(),
            proxies: catalog
                .instances()
                .filter(|instance| instance.kind == ServiceKind::ConnectProxy)
                .count(),
            risks: Vec::new(),
            now,
        };
        let foreseen = match foreseen {
            Ok(Some(foreseen)) => foreseen,
            Ok(None) => {
                plan.changes = false;
                plan.new_root = Some(false);
                return plan;
            }
            Err(error) => {
                plan.refused = Some(refusal(&error));
                return plan;
            }
        };
        plan.new_root = new_root(change, &foreseen);
        plan.cross_signed = foreseen.cross_signs;
        plan.path_length = foreseen.path_length;
        plan.risks = risks(&plan, change, &foreseen);
        plan
    }
}

fn refusal(error: &ChangeError) -> String {
    error.to_string()
}

fn new_root(change: &Change, foreseen: &Foreseen) -> Option<bool> {
    match change.cause {
        RotationCause::Renewal => Some(false),
        _ if change.cause.wants_new_root() || foreseen.other_provider => Some(true),
        _ => None,
    }
}

fn risks(plan: &Plan, change: &Change, foreseen: &Foreseen) -> Vec<Risk> {
    let mut risks = Vec::new();
    if plan.new_root != Some(false) && !foreseen.cross_signs {
        risks.push(Risk {
            what: "peers refuse the new leafs as long as they have not taken the new root"
                .to_owned(),
            until: Some(plan.now.saturating_add(foreseen.bundle_age)),
        });
    }
    if foreseen.cross_signs && foreseen.path_length > LONGEST_PATH {
        risks.push(Risk {
            what: "peers that hold the oldest root refuse the new leafs: the path to it is too \
                   long, and it is left behind by force"
                .to_owned(),
            until: Some(plan.now.saturating_add(foreseen.bundle_age)),
        });
    }
    if let RotationCause::Emergency { retire_after } = change.cause {
        let retired = plan.now.saturating_add(retire_after);
        risks.push(Risk {
            what: format!(
                "the leafs of this agent ({}), and those of all others, are refused from {} on \
                 unless they have been replaced by then",
                plan.leafs,
                retired.whole_seconds()
            ),
            until: None,
        });
        risks.push(Risk {
            what: "whoever holds the compromised key is believed by peers that have not fetched \
                   the roots after the old one was dropped"
                .to_owned(),
            until: Some(retired.saturating_add(foreseen.bundle_age)),
        });
        risks.push(Risk {
            what: "open connections go on: how many there are, only their proxies know".to_owned(),
            until: None,
        });
    }
    risks
}
