use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use chancery_core::{
    Authority, Datacenter, DefaultPolicy, HashSeed, LocalSettings, LocalState, Node, NodeId,
    NodeName, ServiceName,
};
use chancery_providers::SecretOptions;

use super::*;
use crate::agent::AgentSettings;
use crate::agent::leafs::LeafFacts;
use crate::clock::Clock;
use crate::server::{AuthorityHost, Server, TABLES};
use crate::store::{MemoryStore, Sealer};

const NOW: Timestamp = Timestamp::from_unix(1_795_500_000);

fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn report(findings: Vec<Finding>, first: Option<Timestamp>) -> Report {
    Report {
        now: NOW,
        first_failed_handshake: first,
        findings,
    }
}

fn due(at: Option<Timestamp>) -> Finding {
    let mut finding = Finding::new(State::Due, "a", "b");
    finding.at = at;
    finding
}

#[test]
fn what_is_due_within_the_horizon_is_a_warning_and_what_comes_later_is_not() {
    let day = Duration::from_secs(86_400);
    for (finding, verdict) in [
        (due(Some(after(86_400))), Verdict::Warning),
        (due(Some(after(86_401))), Verdict::Fine),
        (due(None), Verdict::Warning),
        (
            Finding::new(State::Fine, "a", "b").at(after(1)),
            Verdict::Fine,
        ),
        (Finding::new(State::Broken, "a", "b"), Verdict::Broken),
    ] {
        let report = report(vec![finding.clone()], Some(after(1_000_000)));
        assert_eq!(report.verdict(day), verdict, "{finding:?}");
    }
}

#[test]
fn a_handshake_that_fails_soon_warns_and_one_that_fails_now_is_broken() {
    let day = Duration::from_secs(86_400);
    for (first, verdict) in [
        (Some(NOW), Verdict::Broken),
        (Some(after(1)), Verdict::Warning),
        (Some(after(86_401)), Verdict::Fine),
        (None, Verdict::Fine),
    ] {
        assert_eq!(report(Vec::new(), first).verdict(day), verdict, "{first:?}");
    }
}

#[test]
fn without_a_ca_the_first_handshake_fails_now() {
    let first = first_failure::find(&Authority::default(), &[], &[], NOW);
    assert_eq!(first, Some(NOW));
}

#[test]
fn a_leaf_that_cannot_be_renewed_fails_when_it_ends() {
    let leaf = |ends, failing: bool, registered| LeafFacts {
        service: ServiceName::parse("web").unwrap(),
        issuer_key_id: Some("aa".to_owned()),
        valid_before: Some(ends),
        due: Some(after(10)),
        failure: failing.then(|| (NOW, "the provider is away".to_owned())),
        registered,
    };
    let found = |leaf| leafs::findings(&Authority::default(), &[leaf], NOW);
    let failing = found(leaf(after(60), true, true));
    assert_eq!(failing[0].state, State::Due);
    assert_eq!(failing[0].fails_handshakes_at, Some(after(60)));
    assert!(failing[0].what.contains("the provider is away"));
    let ended = found(leaf(NOW, true, true));
    assert_eq!(ended[0].state, State::Broken);
    assert!(found(leaf(NOW, true, false)).is_empty());
    let good = found(leaf(after(60), false, true));
    assert_eq!((good[0].state, good[0].at), (State::Fine, Some(after(10))));
}

/// An agent with a CA whose effects are carried out only until `settle` returns.
async fn agent() -> Agent {
    let clock = Clock::simulated(NOW);
    let store = Arc::new(MemoryStore::new(&TABLES));
    let (server, _writer) = Server::start(store, HashSeed([1, 2]), clock).await.unwrap();
    let datacenter = Datacenter::parse("dc1").unwrap();
    let sealer = Arc::new(Sealer::ephemeral().unwrap());
    let authority = AuthorityHost::new(server.clone(), sealer, datacenter.clone());
    let secrets = SecretOptions::default();
    let options = chancery_providers::OptionMap::new();
    authority.found("consul", options, &secrets).await.unwrap();
    authority.settle().await;
    let node = Node::new(NodeId::from_bytes([1; 16]), "n1", "127.0.0.1");
    let local = LocalState::new(node, LocalSettings::default(), 1);
    let settings = AgentSettings {
        datacenter,
        node_name: NodeName::parse("n1").unwrap(),
        node_id: NodeId::from_bytes([1; 16]),
        node_meta: [].into(),
        advertise: IpAddr::V4(Ipv4Addr::LOCALHOST),
        dev: false,
        connect: true,
        default_policy: DefaultPolicy::AclsDisabled,
        data_dir: None,
    };
    Agent::new(settings, server, authority, local)
}

#[tokio::test(start_paused = true)]
async fn a_new_agent_is_fine_and_one_that_nobody_ran_for_years_is_told_of_everything() {
    let agent = agent().await;
    let web = ServiceName::parse("web").unwrap();
    agent.leafs().current(&web).await.unwrap();
    let week = Duration::from_secs(7 * 86_400);
    let fresh = Report::of(&agent).await;
    assert_eq!(fresh.verdict(week), Verdict::Fine, "{fresh:?}");
    let root_ends = agent
        .server()
        .view()
        .state()
        .authority()
        .active_root()
        .unwrap()
        .not_after;
    assert_eq!(fresh.first_failed_handshake, Some(root_ends));
    assert!(fresh.findings.iter().any(|found| found.subject == "leafs"));

    // Nothing extends the lease: leafs will soon want to outlive it.
    tokio::time::sleep(Duration::from_secs(100 * 3600)).await;
    let later = Report::of(&agent).await;
    assert_eq!(later.verdict(week), Verdict::Warning, "{later:?}");
    let lease = later
        .findings
        .iter()
        .find(|it| it.subject == "issuance lease");
    assert_eq!(lease.unwrap().at, lease.unwrap().stops_signing_at);

    tokio::time::sleep(Duration::from_secs(11 * 365 * 86_400)).await;
    let over = Report::of(&agent).await;
    assert_eq!(over.verdict(week), Verdict::Broken);
    let broken: Vec<_> = over
        .findings
        .iter()
        .filter(|found| found.state == State::Broken)
        .map(|found| found.subject.as_str())
        .collect();
    assert!(
        broken.contains(&"active root Consul CA Root Cert"),
        "{broken:?}"
    );
    assert!(over.first_failed_handshake.unwrap() <= over.now);
}

#[test]
fn a_provider_that_stops_signing_starves_leafs_that_are_due_after_that() {
    let said = chancery_providers::Finding::new(
        "Vault token",
        "it ends and cannot be renewed",
        "give another",
        Some(Duration::from_secs(100)),
        chancery_providers::Stops::Signing,
    );
    let findings = provider::findings(vec![said], NOW);
    assert_eq!(findings[0].state, State::Due);
    assert_eq!(findings[0].stops_signing_at, Some(after(100)));
    let later = provider::findings(
        vec![chancery_providers::Finding::new(
            "Vault",
            "it is sealed",
            "unseal it",
            None,
            chancery_providers::Stops::Signing,
        )],
        NOW,
    );
    assert_eq!(later[0].state, State::Broken);
}

#[test]
fn a_right_that_only_an_ordered_change_needs_is_told_and_wakes_nobody() {
    let said = |left| {
        let lacks = chancery_providers::Finding::new(
            "Vault token",
            "it may not sign roots of other CAs",
            "add the line",
            left,
            chancery_providers::Stops::Rotation,
        );
        provider::findings(vec![lacks], NOW).remove(0)
    };
    let timeless = said(None);
    assert_eq!(timeless.state, State::Fine);
    assert_eq!(timeless.advice.as_deref(), Some("add the line"));
    assert_eq!(timeless.stops_signing_at, None);
    // But one that the token is about to lose is.
    assert_eq!(said(Some(Duration::from_secs(100))).state, State::Due);
}
