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
    IntentionSet::with_rules(HashSeed([3, 4]), rules.iter().cloned())
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
        for (set, model) in &snapshots {
            assert_equal(set, model);
        }
        let rules: Vec<_> = model.into_values().collect();
        for source in NAMES {
            for destination in NAMES {
                let decision = set.decide(source, destination, DefaultPolicy::Deny);
                let fitting = model::fitting(&rules, source, destination);
                prop_assert_eq!(decision.winner(), fitting.first().copied());
            }
        }
    }
}

/// Which of the five commands, the identifier and the names it is about.
type Step = (u8, u32, &'static str, &'static str, bool);

fn step() -> impl Strategy<Value = Step> {
    (0..5_u8, 0..6_u32, name(), name(), any::<bool>())
}

proptest! {
    #[test]
    fn commands_do_what_the_naive_model_does(steps in prop::collection::vec(step(), 1..50)) {
        let mut set = empty();
        let mut model: Vec<Intention> = Vec::new();
        let mut snapshots = Vec::new();
        for (revision, step) in (2_u64..).zip(steps) {
            let accepted = write(&mut set, &command(step), revision).is_ok();
            let expected = carry_out(&mut model, step, revision);
            prop_assert_eq!(accepted, expected, "{:?} on {:?}", step, texts(&set.sorted()));
            snapshots.push((set.clone(), model.clone()));
        }
        for (set, model) in snapshots {
            let model = model.into_iter().map(|row| (row.key(), row)).collect();
            assert_equal(&set, &model);
        }
    }
}

fn command((kind, number, source, destination, allow): Step) -> IntentionCommand {
    let draft = draft(
        "default/x",
        "default/x",
        if allow { "allow" } else { "deny" },
    );
    let named = IntentionDraft {
        source_name: source.into(),
        destination_name: destination.into(),
        ..draft.clone()
    };
    // A name with a slash would be taken for one with a namespace.
    let exact = |name: &str| format!("default/{}", name.replace('/', "-"));
    let (from, to) = (exact(source), exact(destination));
    match kind {
        0 => IntentionCommand::Create {
            id: id(number),
            draft: named,
        },
        1 => IntentionCommand::Update {
            id: id(number).to_string(),
            draft: named,
        },
        2 => IntentionCommand::Delete {
            id: id(number).to_string(),
        },
        3 => IntentionCommand::UpsertExact {
            source: from,
            destination: to,
            draft,
        },
        _ => IntentionCommand::DeleteExact {
            source: from,
            destination: to,
        },
    }
}

/// The same on a list of rules; says whether the command is accepted.
fn carry_out(
    rows: &mut Vec<Intention>,
    (kind, number, source, destination, allow): Step,
    revision: u64,
) -> bool {
    let exact = |name: &str| name.replace('/', "-");
    let (source, destination) = match kind {
        3 | 4 => (exact(source), exact(destination)),
        _ => (source.to_owned(), destination.to_owned()),
    };
    let wall = at(i64::try_from(revision).unwrap()).wall;
    let mut new = Intention {
        created_at: wall,
        updated_at: wall,
        create_index: revision,
        modify_index: revision,
        ..model::sample(&source, &destination, allow)
    };
    let key = new.key();
    let by_id = rows.iter().position(|row| row.id() == Some(id(number)));
    let by_pair = rows.iter().position(|row| row.key() == key);
    let old = match kind {
        0 if by_id.is_none() && by_pair.is_none() => {
            new.id = Some(id(number));
            None
        }
        1 if by_id.is_some() && (by_pair.is_none() || by_pair == by_id) => by_id,
        2 if by_id.is_some() => by_id,
        3 | 4 => by_pair,
        _ => return false,
    };
    if let Some(old) = old.map(|at| rows.remove(at)) {
        new.id = old.id();
        new.created_at = old.created_at();
        new.create_index = old.create_index();
    }
    if !matches!(kind, 2 | 4) {
        rows.push(new);
    }
    true
}

#[test]
fn neither_seed_nor_order_of_writes_shows() {
    let rows: Vec<_> = (0..500)
        .map(|number| model::sample(&format!("s{}", number % 25), &format!("D{number}"), true))
        .collect();
    let one = IntentionSet::with_rules(HashSeed([1, 2]), rows.iter().cloned());
    let mut other = IntentionSet::with_rules(HashSeed([3, 4]), rows.iter().rev().cloned());
    for row in &rows {
        other.delete(&row.key());
        other.put(row.clone());
    }
    assert_eq!(one.sorted(), other.sorted());
    let name = QualifiedName::plain("s7");
    assert_eq!(one.matching(By::Source, name).len(), 20);
    assert_eq!(
        one.matching(By::Source, name),
        other.matching(By::Source, name)
    );
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
