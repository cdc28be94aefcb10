//! Where the certificate authority stands.

use std::collections::BTreeMap;

use chancery_core::{
    Authority, CaRoot, ROTATION_PATIENCE, Rotation, RotationCause, Stage, Step, Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::agent::Agent;
use crate::server::{AuthorityHost, EffectFailure, PluginInUse};

/// Everything that an operator may want to know of the CA. Nothing in it is secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CaStatus {
    /// What it is doing.
    pub state: State,
    /// The trust domain; empty while there is none.
    pub trust_domain: String,
    /// The provider that signs.
    pub provider: String,
    /// Which incarnation of a provider signs: it grows with each change.
    pub epoch: u64,
    /// The plugin, if that is what signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<PluginStatus>,
    /// `ModifyIndex` of the configuration.
    pub modify_index: u64,
    /// The roots that are trusted, the active one first, then by age.
    pub roots: Vec<RootStatus>,
    /// The intermediate that signs leafs, unless the root does so itself.
    pub intermediate: Option<IntermediateStatus>,
    /// The change that is under way.
    pub rotation: Option<RotationStatus>,
    /// The leafs of this agent.
    pub leafs: LeafCounts,
    /// What will happen next by itself, in order of time.
    pub next: Vec<Coming>,
    /// Incarnations that are over and have not given up all they hold.
    pub clean_ups: Vec<CleanUp>,
    /// What fails at present.
    pub failures: Vec<Failure>,
    /// Why the last change came to nothing, if one did since the agent was started.
    pub given_up: Option<String>,
    /// In what the configuration file and the stored state differ, as a sentence.
    pub difference: Option<String>,
    /// The time at the agent.
    pub now: Timestamp,
}

/// The plugin that signs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PluginStatus {
    /// The name that it gives itself.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// Where it was read.
    pub path: String,
    /// The SHA-256 of its file.
    pub sha256: String,
    /// When another file was not taken in its place, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<(Timestamp, String)>,
}

impl From<PluginInUse> for PluginStatus {
    fn from(plugin: PluginInUse) -> Self {
        Self {
            name: plugin.name,
            version: plugin.version,
            path: plugin.path.display().to_string(),
            sha256: plugin.sha256,
            refused: plugin.refused.map(|refused| (refused.at, refused.reason)),
        }
    }
}

/// What the CA is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum State {
    /// The first root is being made.
    Initializing,
    /// There is no CA.
    None,
    /// It signs, and a change is under way.
    Rotating,
    /// It signs.
    Serving,
}

/// A trusted root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RootStatus {
    /// SHA-1 of the certificate, colon-separated hex.
    pub id: String,
    /// What people read.
    pub name: String,
    /// Whether it signs.
    pub state: RootState,
    /// `ec`, `rsa` or `ed25519`.
    pub key_type: String,
    /// Size of the key in bits.
    pub key_bits: u32,
    /// Since when it is trusted.
    pub added_at: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Since when it signs no more.
    pub rotated_out_at: Option<Timestamp>,
    /// Until when it stays in the bundle, as far as it is known now.
    pub kept_until: Option<Timestamp>,
    /// Why it stays so long.
    pub kept_because: Option<String>,
    /// When it goes whatever leafs of it are alive: its key is compromised.
    pub retire_at: Option<Timestamp>,
    /// Ids of the older roots that its leafs are led to.
    pub links_to: Vec<String>,
    /// How many valid leafs of this agent are under it.
    pub leafs: usize,
}

/// Whether a root signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RootState {
    /// New leafs are issued under it.
    Active,
    /// It is trusted only.
    Retired,
}

/// The intermediate that signs leafs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IntermediateStatus {
    /// Its key identifier, colon-separated hex.
    pub key_id: String,
    /// The start of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// When it will be renewed; never by itself if somebody outside signed it, or if it ends with
    /// its root.
    pub renew_at: Option<Timestamp>,
    /// Whether somebody outside signed it.
    pub signed_outside: bool,
}

/// A change that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RotationStatus {
    /// The incarnation that shall sign.
    pub epoch: u64,
    /// Why: `configured`, `new key`, `emergency` or `renewal`.
    pub cause: String,
    /// The provider that shall sign.
    pub provider: String,
    /// What is being done.
    pub step: String,
    /// When the change began.
    pub since: Timestamp,
    /// When the step began.
    pub step_since: Timestamp,
    /// When it is given up if the step does not succeed.
    pub gives_up_at: Option<Timestamp>,
    /// Whether peers with an old bundle may be left behind.
    pub force: bool,
    /// What happens next.
    pub next: String,
    /// What failed last.
    pub failure: Option<Failure>,
}

/// The leafs of this agent that are valid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct LeafCounts {
    /// All of them.
    pub total: usize,
    /// Those of the issuer that signs now.
    pub moved: usize,
}

/// Something that will happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Coming {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
}

/// An incarnation that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CleanUp {
    /// Which.
    pub epoch: u64,
    /// Its provider.
    pub provider: String,
    /// Since when it signs no more.
    pub retired_at: Timestamp,
    /// Whether only its root is left, which is still trusted.
    pub root_only: bool,
    /// What failed last.
    pub failure: Option<Failure>,
}

/// Something that fails at present and is tried again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Failure {
    /// What is tried.
    pub what: String,
    /// Since when it fails.
    pub since: Timestamp,
    /// How often it has failed.
    pub count: u32,
    /// Why it failed last.
    pub reason: String,
}

impl From<&EffectFailure> for Failure {
    fn from(failure: &EffectFailure) -> Self {
        Self {
            what: failure.what.to_owned(),
            since: failure.since,
            count: failure.count,
            reason: failure.reason.clone(),
        }
    }
}

impl CaStatus {
    /// Of this agent, now.
    #[must_use]
    pub fn of(agent: &Agent) -> Self {
        let host = agent.authority();
        let view = host.server().view();
        let authority = view.state().authority();
        let now = host.server().clock().now().wall;
        let by_issuer = agent.leafs().by_issuer();
        let failures = host.failures();
        let of_epoch = |epoch| {
            let failed = failures.iter().find(|failure| failure.epoch == Some(epoch));
            failed.map(Failure::from)
        };
        let record = authority.record();
        let rotation = record.and_then(|record| record.rotation.as_deref());
        let mut roots: Vec<_> = authority.roots().collect();
        roots.sort_by_key(|root| (!root.active, std::cmp::Reverse(root.added_at)));
        Self {
            state: state(authority),
            trust_domain: authority
                .trust_domain()
                .map_or_else(String::new, ToString::to_string),
            provider: authority
                .configuration()
                .map_or_else(String::new, |found| found.provider.clone()),
            epoch: record.map_or(0, |record| record.stage.epoch().number()),
            plugin: host.plugin().map(PluginStatus::from),
            modify_index: authority
                .configuration()
                .map_or(0, |found| found.modify_index),
            roots: roots
                .into_iter()
                .map(|root| RootStatus::of(root, authority, &by_issuer))
                .collect(),
            intermediate: IntermediateStatus::of(authority, now),
            rotation: rotation
                .map(|rotation| RotationStatus::of(rotation, of_epoch(rotation.epoch))),
            leafs: LeafCounts::of(authority, &by_issuer),
            next: coming(authority, now),
            clean_ups: authority
                .provider_states()
                .filter_map(|state| {
                    let retired = state.retired.as_ref()?;
                    Some(CleanUp {
                        epoch: state.epoch.number(),
                        provider: state.provider.clone(),
                        retired_at: retired.at,
                        root_only: retired.issuing_cleaned,
                        failure: of_epoch(state.epoch),
                    })
                })
                .collect(),
            failures: failures.iter().map(Failure::from).collect(),
            given_up: given_up(host),
            difference: host.difference_from_file(),
            now,
        }
    }
}

fn given_up(host: &AuthorityHost) -> Option<String> {
    host.last_given_up().map(|(_, reason)| reason)
}

fn state(authority: &Authority) -> State {
    match authority.record() {
        None => State::None,
        Some(record) if matches!(record.stage, Stage::Bootstrapping { .. }) => State::Initializing,
        Some(record) if record.rotation.is_some() => State::Rotating,
        Some(_) => State::Serving,
    }
}

impl LeafCounts {
    pub(super) fn of(authority: &Authority, by_issuer: &BTreeMap<String, usize>) -> Self {
        let active = authority.active_root().map(|root| &root.signing_key_id);
        Self {
            total: by_issuer.values().sum(),
            moved: active
                .and_then(|issuer| by_issuer.get(issuer))
                .copied()
                .unwrap_or(0),
        }
    }
}

impl RootStatus {
    fn of(root: &CaRoot, authority: &Authority, by_issuer: &BTreeMap<String, usize>) -> Self {
        let kept_until = authority.root_over_at(root);
        Self {
            id: root.id.clone(),
            name: root.name.clone(),
            state: if root.active {
                RootState::Active
            } else {
                RootState::Retired
            },
            key_type: root.private_key_type.clone(),
            key_bits: root.private_key_bits,
            added_at: root.added_at,
            not_after: root.not_after,
            rotated_out_at: root.rotated_out_at.filter(|_| !root.active),
            kept_until,
            kept_because: kept_until.map(|until| kept_because(root, authority, until).to_owned()),
            retire_at: root.retire_at.filter(|_| !root.active),
            links_to: root.links.iter().map(|link| link.signer.clone()).collect(),
            leafs: issuers(root, authority)
                .filter_map(|issuer| by_issuer.get(issuer))
                .sum(),
        }
    }
}

/// The keys that have signed leafs under `root`, as far as a lease is left of them.
fn issuers<'a>(root: &'a CaRoot, authority: &'a Authority) -> impl Iterator<Item = &'a str> {
    let older = authority
        .leases()
        .filter(|lease| lease.root == root.id && lease.issuer != root.signing_key_id)
        .map(|lease| lease.issuer.as_str());
    std::iter::once(root.signing_key_id.as_str()).chain(older)
}

fn kept_because(root: &CaRoot, authority: &Authority, until: Timestamp) -> &'static str {
    let age = authority
        .configuration()
        .map(|configuration| configuration.lifetimes.bundle)
        .unwrap_or_default();
    let bundles_end = root.rotated_out_at.map(|out| out.saturating_add(age));
    if root.retire_at == Some(until) {
        "its key is compromised: then it goes, whatever leafs of it are alive"
    } else if bundles_end == Some(until) {
        "until then a peer may still use a bundle in which it is the newest root"
    } else {
        "until then a leaf under it may be valid"
    }
}

impl IntermediateStatus {
    fn of(authority: &Authority, now: Timestamp) -> Option<Self> {
        let root = authority.active_root()?;
        let life = root.intermediate_life?;
        Some(Self {
            key_id: root.signing_key_id.clone(),
            not_before: life.not_before,
            not_after: life.not_after,
            renew_at: authority.renewal_at(now),
            signed_outside: root.signed_outside,
        })
    }
}

impl RotationStatus {
    fn of(rotation: &Rotation, failure: Option<Failure>) -> Self {
        let waits = matches!(rotation.step, Step::AwaitingSignature { .. });
        Self {
            epoch: rotation.epoch.number(),
            cause: cause(rotation.cause).to_owned(),
            provider: rotation.configuration.provider.clone(),
            step: rotation.step.name().to_owned(),
            since: rotation.since,
            step_since: rotation.step_since,
            gives_up_at: (!waits).then(|| rotation.step_since.saturating_add(ROTATION_PATIENCE)),
            force: rotation.force,
            next: next_step(&rotation.step).to_owned(),
            failure,
        }
    }
}

pub(super) const fn cause(cause: RotationCause) -> &'static str {
    match cause {
        RotationCause::Configured => "configured",
        RotationCause::Emergency { .. } => "emergency",
        RotationCause::NewKey => "new key",
        RotationCause::Renewal => "renewal",
        _ => "other",
    }
}

const fn next_step(step: &Step) -> &'static str {
    match step {
        Step::Preparing => {
            "the provider gives its root and what signs under it; if the root is new, the CA that \
             signs now signs it"
        }
        Step::AwaitingSignature { .. } => {
            "somebody signs the request that `chancery connect ca csr` shows, and hands the \
             certificate in with `chancery connect ca set-signed`"
        }
        Step::Accepting { .. } => "the provider takes the intermediate that was signed outside",
        Step::Linking { .. } => {
            "the CA that signs now signs the new root; then a leaf is issued for trial"
        }
        Step::Trying { .. } => {
            "a leaf for trial is verified against every root that peers may hold; then all new \
             leafs come from the new issuer"
        }
        _ => "the change goes on",
    }
}

/// What happens by itself, as far as it is known now.
fn coming(authority: &Authority, now: Timestamp) -> Vec<Coming> {
    let mut coming = Vec::new();
    if let Some(root) = authority.active_root() {
        coming.push(Coming {
            at: root.not_after,
            what: "the active root ends: no leaf is valid any more".to_owned(),
        });
        if let Some(intermediate) = IntermediateStatus::of(authority, now) {
            coming.push(match intermediate.renew_at {
                Some(at) => Coming {
                    at,
                    what: "the intermediate is renewed".to_owned(),
                },
                None => Coming {
                    at: intermediate.not_after,
                    what: "the intermediate ends, and is not renewed by itself".to_owned(),
                },
            });
        }
    }
    for root in authority.roots() {
        coming.extend(authority.root_over_at(root).map(|at| Coming {
            at,
            what: format!("the root {} is dropped", root.id),
        }));
    }
    coming.sort_by_key(|coming| coming.at);
    coming
}
