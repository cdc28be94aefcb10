//! The compiled set against the naive model, on random sets.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const NAMES: [&str; 12] = [
    "*",
    "web",
    "WEB",
    "db",
    "Db",
    "api",
    "cache",
    "cach\u{e9}",
    "CACH\u{c9}",
    "a/b",
    "x",
    "y",
];

fn name() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&NAMES[..])
}

fn asked() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => name(), 1 => Just("nobody"), 1 => Just("NOBODY"), 1 => Just("")]
}

fn default() -> impl Strategy<Value = DefaultPolicy> {
    prop_oneof![Just(DefaultPolicy::Allow), Just(DefaultPolicy::Deny)]
}

/// Rules unique by pair, as a set holds them.
fn rules() -> impl Strategy<Value = Vec<Intention>> {
    prop::collection::vec((name(), name(), any::<bool>()), 0..24).prop_map(|triples| {
        let rows = triples
            .into_iter()
            .map(|(source, destination, allow)| model::sample(source, destination, allow))
            .map(|row| (row.key(), row));
        rows.collect::<BTreeMap<_, _>>().into_values().collect()
    })
}

fn compiled(rules: &[Intention]) -> IntentionSet {
    let mut set = empty();
    for rule in rules {
        set.put(rule.clone());
    }
    set
}

proptest! {
    // 2,000 sets with 60 questions each: 120,000 checks a run.
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]
    #[test]
    fn decides_as_the_naive_matcher(
        rules in rules(),
        pairs in prop::collection::vec((asked(), asked(), default()), 60),
    ) {
        let set = compiled(&rules);
        for (source, destination, default) in pairs {
            let decision = set.decide(source, destination, default);
            let fitting = model::fitting(&rules, source, destination);
            prop_assert_eq!(decision.winner(), fitting.first().copied());
            prop_assert_eq!(
                decision.allowed(),
                model::allowed(&rules, source, destination, default)
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn explains_with_the_smallest_flip(
        rules in rules(),
        pairs in prop::collection::vec((name(), name(), default()), 6),
    ) {
        let set = compiled(&rules);
        for (source, destination, default) in pairs {
            let explanation = set.decide(source, destination, default).explain();
            let fitting = model::fitting(&rules, source, destination);
            prop_assert_eq!(explanation.winner, fitting.first().copied());
            prop_assert_eq!(&explanation.shadowed[..], fitting.get(1..).unwrap_or_default());
            let candidates = model::flips(&rules, source, destination, default);
            // `min_by_key` takes the first among equals.
            let smallest = candidates.iter().min_by_key(|it| it.1).map(|it| it.0);
            let chosen = explanation.flip.map(|flip| match flip {
                Flip::AddExact { .. } => "add",
                Flip::DeleteWinner(_) => "delete",
                Flip::FlipWinner(_) => "flip",
            });
            prop_assert_eq!(chosen, smallest, "{:?}", candidates);
        }
    }

    #[test]
    fn lists_and_finds_what_the_naive_model_holds(
        steps in prop::collection::vec((name(), name(), any::<bool>(), 0..3_u8), 1..60),
    ) {
        let mut set = empty();
        let mut model: BTreeMap<PairKey, Intention> = BTreeMap::new();
        let mut snapshots = Vec::new();
        for (number, (source, destination, allow, kind)) in steps.into_iter().enumerate() {
            let mut row = model::sample(source, destination, allow);
            row.id = (kind == 2).then(|| id(u32::try_from(number).unwrap()));
            if kind == 0 {
                prop_assert_eq!(set.delete(&row.key()), model.remove(&row.key()));
            } else {
                prop_assert_eq!(set.put(row.clone()), row.key());
                model.insert(row.key(), row);
            }
            snapshots.push((set.clone(), model.clone()));
        }
        for (set, model) in snapshots {
            assert_equal(&set, &model);
        }
    }
}

fn assert_equal(set: &IntentionSet, model: &BTreeMap<PairKey, Intention>) {
    let mut rows: Vec<_> = model.values().collect();
    rows.sort_by(|left, right| precedence::list_order(left, right));
    assert_eq!(set.sorted(), rows);
    assert_eq!(set.len(), rows.len());
    for (key, row) in model {
        assert_eq!(set.at(key), Some(row));
        if let Some(id) = row.id() {
            assert_eq!(set.by_id(id), Some(row));
        }
    }
    for name in NAMES {
        let lower = name.to_lowercase();
        let fits = |side: &str| side == "*" || side.to_lowercase() == lower;
        let by_destination: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| fits(row.destination_name()))
            .collect();
        let by_source: Vec<_> = rows
            .iter()
            .copied()
            .filter(|row| fits(row.source_name()))
            .collect();
        let name = QualifiedName::plain(name);
        assert_eq!(set.matching(By::Destination, name), by_destination);
        assert_eq!(set.matching(By::Source, name), by_source);
    }
}
