//! Roots, intermediates, links, the lease, a change under way, and what fails.

use std::time::Duration;

use chancery_core::{Authority, CaRoot, Rotation, Stage, Step, Timestamp};

use super::{Finding, State};
use crate::agent::leafs::LeafFacts;
use crate::server::{AuthorityHost, EffectFailure, PluginInUse};

/// The part of an intermediate's second half after which its renewal is late.
const LATE: u32 = 4;

pub(super) fn findings(
    authority: &Authority,
    host: &AuthorityHost,
    leafs: &[LeafFacts],
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(founding(authority));
    for root in authority.roots() {
        if root.active {
            findings.extend(active(authority, root, now));
        } else {
            findings.push(retired(authority, root, leafs));
        }
    }
    findings.extend(rotation(authority));
    findings.extend(lease(authority, now));
    let failures = host.failures();
    findings.extend(failures.iter().map(failing));
    findings.extend(clean_ups(authority));
    findings.extend(host.plugin().map(plugin));
    if let Some(difference) = host.difference_from_file() {
        findings.push(Finding::new(State::Due, "ca_config", difference).advice(
            "the stored state counts: change the file, or the state with \
                 `chancery connect ca set-config`",
        ));
    }
    findings
}

fn plugin(plugin: PluginInUse) -> Finding {
    let subject = format!("plugin {} {}", plugin.name, plugin.version);
    let Some(refused) = plugin.refused else {
        let what = format!("signs, SHA-256 {}", plugin.sha256);
        return Finding::new(State::Fine, subject, what);
    };
    let what = format!(
        "the file that is there now was not taken: {}",
        refused.reason
    );
    let advice = format!(
        "mend {}, or put back what it was: after a restart that is what must sign",
        plugin.path.display()
    );
    Finding::new(State::Due, subject, what).advice(advice)
}

fn founding(authority: &Authority) -> Option<Finding> {
    if authority.active_root().is_some() {
        return None;
    }
    let what = match authority.record().map(|record| record.stage) {
        Some(Stage::Bootstrapping { .. }) => "the first root has been ordered and is not there",
        _ => "there is none yet: it is founded when an agent starts with Connect enabled",
    };
    Some(
        Finding::new(State::Broken, "certificate authority", what)
            .advice("see the log for what the CA provider says"),
    )
}

/// What must be over before a certificate ends that leafs depend on: whoever holds a bundle
/// without its successor, and the leafs of before.
fn lead(authority: &Authority) -> Duration {
    authority.configuration().map_or(Duration::ZERO, |it| {
        it.lifetimes.bundle.saturating_add(it.lifetimes.leaf)
    })
}

fn active(authority: &Authority, root: &CaRoot, now: Timestamp) -> Vec<Finding> {
    let mut findings = vec![ending(
        format!("active root {}", root.name),
        root.not_after,
        lead(authority),
        "rotate before: `chancery connect ca rotate`",
        now,
    )];
    if now < root.not_before {
        let what = format!(
            "it says {now}, which is before the active root begins ({})",
            root.not_before
        );
        findings.push(
            Finding::new(State::Broken, "wall clock", what)
                .failing_from(now)
                .advice("set the clock"),
        );
    }
    findings.extend(intermediate(authority, root, now));
    findings.extend(links(root));
    findings
}

/// A certificate that nobody renews by itself.
fn ending(
    subject: String,
    ends: Timestamp,
    lead: Duration,
    advice: &str,
    now: Timestamp,
) -> Finding {
    let finding = if ends <= now {
        Finding::new(State::Broken, subject, format!("it ended at {ends}")).at(ends)
    } else {
        let what = format!("it ends at {ends}, and leafs under it end with it");
        Finding::new(State::Due, subject, what).at(ends.saturating_sub(lead))
    };
    finding
        .failing_from(ends)
        .unsigned_from(ends)
        .advice(advice)
}

fn intermediate(authority: &Authority, root: &CaRoot, now: Timestamp) -> Option<Finding> {
    let life = root.intermediate_life?;
    let subject = "signing intermediate".to_owned();
    if root.signed_outside {
        let advice = "have another signed: `chancery connect ca csr`, then `set-signed`";
        return Some(ending(
            subject,
            life.not_after,
            lead(authority),
            advice,
            now,
        ));
    }
    let advice = "see why it is not renewed: `chancery connect ca status`, the log";
    if life.not_after <= now {
        return Some(ending(subject, life.not_after, Duration::ZERO, advice, now));
    }
    let middle = life.middle();
    let late = middle.saturating_add(life.not_after.saturating_since(middle) / LATE);
    // One that reaches its root's end cannot be made longer; the root's own line says the rest.
    let lengthens = life.not_after < root.not_after;
    if late <= now && lengthens {
        return Some(ending(subject, life.not_after, Duration::ZERO, advice, now));
    }
    let what = format!("it ends at {} and is renewed by itself", life.not_after);
    Some(Finding::new(State::Fine, subject, what).at(middle.max(now)))
}

fn links(root: &CaRoot) -> Vec<Finding> {
    root.links
        .iter()
        .map(|link| {
            let subject = "cross-signed certificate";
            if link.not_after < link.needed_until {
                let what = format!(
                    "it ends at {}, but peers whose roots are older may need it until {}",
                    link.not_after, link.needed_until
                );
                Finding::new(State::Due, subject, what)
                    .at(link.not_after)
                    .failing_from(link.not_after)
                    .advice("have every agent and proxy reach its server before")
            } else {
                let what = "peers whose roots are older need it until then";
                Finding::new(State::Fine, subject, what).at(link.needed_until)
            }
        })
        .collect()
}

fn retired(authority: &Authority, root: &CaRoot, leafs: &[LeafFacts]) -> Finding {
    let of_it = |leaf: &&LeafFacts| {
        leaf.issuer_key_id
            .as_deref()
            .and_then(|issuer| super::leafs::root_of(authority, issuer))
            .is_some_and(|found| found.id == root.id)
    };
    let here = leafs.iter().filter(of_it).count();
    let what = format!(
        "trusted until no leaf under it can be alive; {here} of this agent's leafs are still its"
    );
    let finding = Finding::new(State::Fine, format!("retired root {}", root.name), what);
    match authority.root_over_at(root) {
        Some(over) => finding.at(over),
        None => finding,
    }
}

fn rotation(authority: &Authority) -> Option<Finding> {
    let rotation = authority.record()?.rotation.as_deref()?;
    let Rotation {
        step, step_since, ..
    } = rotation;
    let what = format!("it is {} since {step_since}", step.name());
    Some(match step {
        Step::AwaitingSignature { .. } => Finding::new(State::Due, "change of the CA", what)
            .advice(
                "sign the request of `chancery connect ca csr` and hand it in with \
                 `chancery connect ca set-signed`, or give up with `abandon`",
            ),
        _ => Finding::new(State::Fine, "change of the CA", what),
    })
}

fn lease(authority: &Authority, now: Timestamp) -> Option<Finding> {
    let root = authority.active_root()?;
    let lease = authority.lease(&root.signing_key_id)?;
    let life = authority.configuration()?.lifetimes.leaf;
    // Long after it should have been extended, and before it reaches the issuer's own end.
    let late = lease.until.saturating_sub(life) < now && lease.until < root.issuer_life().not_after;
    late.then(|| {
        let state = if lease.until <= now {
            State::Broken
        } else {
            State::Due
        };
        let what = format!(
            "no leaf may be valid after {}, and that is not extended: leafs get shorter",
            lease.until
        );
        Finding::new(state, "issuance lease", what)
            .at(lease.until)
            .unsigned_from(lease.until)
            .advice("see why nothing is stored: the log, `chancery connect ca status`")
    })
}

fn failing(failure: &EffectFailure) -> Finding {
    let what = format!(
        "{} fails since {} ({} times): {}",
        failure.what, failure.since, failure.count, failure.reason
    );
    Finding::new(State::Due, "certificate authority", what)
        .advice("mend what the reason says; it is tried again all the time")
}

fn clean_ups(authority: &Authority) -> Option<Finding> {
    let pending = authority
        .provider_states()
        .filter(|state| state.retired.is_some())
        .count();
    (pending > 0).then(|| {
        let what = format!("{pending} of earlier CA incarnations are still to be done");
        Finding::new(State::Fine, "clean-ups", what)
    })
}
