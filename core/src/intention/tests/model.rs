//! The naive model: a list of rules, and everything by looking at all of them.

use super::*;

/// The naive matcher: the fitting rules, the one that decides first.
pub(super) fn fitting<'a>(
    rules: &'a [Intention],
    source: &str,
    destination: &str,
) -> Vec<&'a Intention> {
    let lower = destination.to_lowercase();
    let mut found: Vec<_> = rules
        .iter()
        .filter(|it| it.destination_name() == "*" || it.destination_name().to_lowercase() == lower)
        .filter(|it| it.source_name() == "*" || it.source_name() == source)
        .collect();
    found.sort_by_key(|it| std::cmp::Reverse(it.precedence()));
    found
}

pub(super) fn allowed(
    rules: &[Intention],
    source: &str,
    destination: &str,
    default: DefaultPolicy,
) -> bool {
    fitting(rules, source, destination)
        .first()
        .map_or_else(|| default.allows(), |it| it.action() == Action::Allow)
}

/// All candidates for a flip with the number of other pairs that each would change, for those
/// that turn this pair's answer; in the order in which equals are preferred.
pub(super) fn flips(
    rules: &[Intention],
    source: &str,
    destination: &str,
    default: DefaultPolicy,
) -> Vec<(&'static str, usize)> {
    let mut names: Vec<String> = ["a name in no rule", source, destination]
        .map(String::from)
        .into();
    for rule in rules {
        names.extend([rule.source_name().into(), rule.destination_name().into()]);
    }
    names.retain(|it| it != "*");
    names.sort();
    names.dedup();
    let mut folded: Vec<_> = names.iter().map(|it| it.to_lowercase()).collect();
    folded.sort();
    folded.dedup();

    let asked = (source.to_owned(), destination.to_lowercase());
    let was = allowed(rules, source, destination, default);
    let mut candidates = Vec::new();
    let key = Intention::key(&sample(source, destination, !was));
    if source != "*" && destination != "*" && rules.iter().all(|it| it.key() != key) {
        let mut after = rules.to_vec();
        after.push(sample(source, destination, !was));
        candidates.push(("add", after));
    }
    if let Some(winner) = fitting(rules, source, destination).first() {
        let mut after = rules.to_vec();
        after.retain(|it| it != *winner);
        candidates.push(("delete", after.clone()));
        after.push(Intention {
            action: winner.action.opposite(),
            ..(*winner).clone()
        });
        candidates.push(("flip", after));
    }
    candidates.retain(|(_, after)| allowed(after, source, destination, default) != was);
    let others = |after: &[Intention]| {
        let mut count = 0;
        for source in &names {
            for destination in &folded {
                let changes = allowed(rules, source, destination, default)
                    != allowed(after, source, destination, default);
                let other = (source, destination) != (&asked.0, &asked.1);
                count += usize::from(changes && other);
            }
        }
        count
    };
    candidates
        .into_iter()
        .map(|(kind, after)| (kind, others(&after)))
        .collect()
}

/// A rule out of thin air.
pub(super) fn sample(source: &str, destination: &str, allow: bool) -> Intention {
    let row = serde_json::json!({
        "id": null,
        "source_ns": "default", "source_name": source,
        "destination_ns": "default", "destination_name": destination,
        "action": if allow { "allow" } else { "deny" },
        "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        "create_index": 2, "modify_index": 2,
    });
    serde_json::from_value(row).unwrap()
}
