//! The figures of the intention set and of the state around it, beside the obvious ways to do
//! the same.
//!
//! `cargo bench -p chancery-core`; with numbers of intentions and services behind `--`:
//! `cargo bench -p chancery-core -- 100000 1000`. Without `--bench` (as `cargo test` runs it)
//! it only checks that the comparison works, on a small set.
#![expect(clippy::print_stdout, reason = "prints its figures")]
#![expect(clippy::disallowed_methods, reason = "measures time")]
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a broken benchmark may stop"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chancery_core::{
    Action, Caller, Command, DefaultPolicy, HashSeed, IntentionCommand, IntentionDraft,
    IntentionId, IntentionSet, NameRef, Now, State,
};

/// Counts what malloc hands out: eight bytes of header, multiples of sixteen.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

fn footprint(layout: Layout) -> usize {
    (layout.size() + 8).next_multiple_of(16).max(32)
}

// SAFETY: hands every call on to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(footprint(layout), Ordering::Relaxed);
        CALLS.fetch_add(1, Ordering::Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(footprint(layout), Ordering::Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let full = arguments.iter().any(|it| it == "--bench");
    let mut numbers = arguments.iter().filter_map(|it| it.parse::<usize>().ok());
    let (intentions, services) = if full {
        (1_000_000, 10_000)
    } else {
        (2_000, 100)
    };
    let intentions = numbers.next().unwrap_or(intentions);
    let services = numbers.next().unwrap_or(services);
    println!(
        "{intentions} intentions over {services} services, one service in a hundred has a rule for `*`"
    );

    let mut random = Random(42);
    let names: Vec<_> = (0..services).map(|it| format!("service-{it:05}")).collect();
    let rules = rules(&mut random, &names, intentions);

    let before = LIVE.load(Ordering::Relaxed);
    let mut set = IntentionSet::new(HashSeed([random.next(), random.next()]));
    let start = Instant::now();
    for rule in &rules {
        create(&mut set, &mut random, rule);
    }
    let build = start.elapsed();
    let bytes = LIVE.load(Ordering::Relaxed) - before;

    let before = LIVE.load(Ordering::Relaxed);
    let scan = Scan::new(&rules);
    let scan_bytes = LIVE.load(Ordering::Relaxed) - before;
    let before = LIVE.load(Ordering::Relaxed);
    let tree = Tree::new(&rules);
    let tree_bytes = LIVE.load(Ordering::Relaxed) - before;

    let questions = questions(
        &mut random,
        &names,
        &rules,
        &set,
        if full { 65_536 } else { 512 },
    );
    agree(&questions, &set, &tree, &scan);
    println!(
        "built in {:.1} s, {} names",
        build.as_secs_f64(),
        set.name_count()
    );

    decisions(&questions, &set, &tree, &scan);
    report(
        "memory per intention",
        bytes as f64 / set.len() as f64,
        200.0,
        "bytes",
    );
    other(
        "tree of pairs, without ids and listings",
        tree_bytes as f64 / rules.len() as f64,
        "bytes",
    );
    other(
        "lists by destination, without ids",
        scan_bytes as f64 / rules.len() as f64,
        "bytes",
    );
    writes(&mut set, &mut random, &names, &tree);
    drop(set);
    state_writes(&rules, &mut random, &names, &tree);
}

type Rule = (String, String, bool);
type Question<'a> = (&'a str, &'a str);

fn rules(random: &mut Random, names: &[String], count: usize) -> Vec<Rule> {
    let mut unique = BTreeMap::new();
    while unique.len() < count {
        // A wildcard source for one service in a hundred.
        let wildcards = names.len() / 100;
        let source = if unique.len() < wildcards {
            "*"
        } else {
            random.pick(names)
        };
        let pair = (source.to_owned(), random.pick(names).to_owned());
        unique.insert(pair, random.below(2) == 0);
    }
    let mut rules: Vec<_> = unique
        .into_iter()
        .map(|((a, b), allow)| (a, b, allow))
        .collect();
    for at in (1..rules.len()).rev() {
        rules.swap(at, random.below(at + 1));
    }
    rules
}

/// Pairs of which every other one is decided by a rule.
fn questions<'a>(
    random: &mut Random,
    names: &'a [String],
    rules: &'a [Rule],
    set: &IntentionSet,
    count: usize,
) -> Vec<Question<'a>> {
    (0..count)
        .map(|number| {
            loop {
                let pair = if number % 2 == 0 {
                    let rule = &rules[random.below(rules.len())];
                    (rule.0.as_str(), rule.1.as_str())
                } else {
                    (random.pick(names), random.pick(names))
                };
                let decision = set.decide(pair.0, pair.1, DefaultPolicy::Deny);
                if decision.winner().is_some() == (number % 2 == 0) && pair.0 != "*" {
                    return pair;
                }
            }
        })
        .collect()
}

fn agree(questions: &[Question<'_>], set: &IntentionSet, tree: &Tree, scan: &Scan) {
    for (source, destination) in questions {
        let ours = set
            .decide(source, destination, DefaultPolicy::Deny)
            .allowed();
        assert_eq!(ours, tree.decide(source, destination));
        assert_eq!(ours, scan.decide(source, destination));
    }
}

fn decisions(questions: &[Question<'_>], set: &IntentionSet, tree: &Tree, scan: &Scan) {
    let resolved: Vec<(NameRef<'_>, NameRef<'_>)> = questions
        .iter()
        .map(|(source, destination)| (set.resolve(source), set.resolve(destination)))
        .collect();
    let calls = CALLS.load(Ordering::Relaxed);
    let mut spans = [Vec::with_capacity(50_000), Vec::with_capacity(50_000)];
    let calls_expected = CALLS.load(Ordering::Relaxed) - calls;
    // Runs of the two are interleaved, so that a busy machine hits both.
    for (pairs, names) in questions
        .chunks(32)
        .zip(resolved.chunks(32))
        .cycle()
        .take(20_000)
    {
        spans[0].push(per_call(names, |pair| {
            set.decide_resolved(pair.0, pair.1, DefaultPolicy::Deny)
                .allowed()
        }));
        spans[1].push(per_call(pairs, |pair| {
            set.decide(pair.0, pair.1, DefaultPolicy::Deny).allowed()
        }));
    }
    let calls = CALLS.load(Ordering::Relaxed) - calls - calls_expected;
    let [interned, strings] = spans;
    report(
        "decision, interned names, median",
        median(interned),
        100.0,
        "ns",
    );
    report(
        "decision, from strings, median",
        median(strings),
        300.0,
        "ns",
    );
    report("allocations in 1,280,000 decisions", calls as f64, 0.0, "");
    let sample: Vec<_> = questions
        .chunks(32)
        .map(|pairs| per_call(pairs, |pair| tree.decide(pair.0, pair.1)))
        .collect();
    other("tree of pairs", median(sample), "ns");
    let sample: Vec<_> = questions
        .chunks(32)
        .take(500)
        .map(|pairs| per_call(pairs, |pair| scan.decide(pair.0, pair.1)))
        .collect();
    other(
        "lists by destination, gathered and scanned as Consul does",
        median(sample),
        "ns",
    );
}

fn per_call<T>(items: &[T], mut call: impl FnMut(&T) -> bool) -> f64 {
    let start = Instant::now();
    for item in items {
        black_box(call(black_box(item)));
    }
    nanos(start.elapsed()) / items.len() as f64
}

/// One more intention into the set alone: propose, apply, a snapshot for readers, the old
/// snapshot dropped.
fn writes(set: &mut IntentionSet, random: &mut Random, names: &[String], tree: &Tree) {
    let mut published = set.clone();
    let spans = free_pairs(random, names, tree, set.len(), |command| {
        let start = Instant::now();
        let changes = set.propose(&command, &|_| true, 9, Now::default()).ok()?;
        for change in changes {
            set.apply(change);
        }
        published = black_box(set.clone());
        Some(start.elapsed())
    });
    report_writes("one more intention: propose, apply, snapshot", spans);
    let start = Instant::now();
    black_box(tree.clone());
    other(
        "tree of pairs, next snapshot alone",
        nanos(start.elapsed()) / 1000.0,
        "µs",
    );
}

/// One more intention as a server does it: with revisions, indexes, digest and rows.
fn state_writes(rules: &[Rule], random: &mut Random, names: &[String], tree: &Tree) {
    let caller = Caller::unrestricted();
    let mut state = State::new(HashSeed([random.next(), random.next()]));
    let start = Instant::now();
    for rule in rules {
        let command = Command::Intention(command(random, rule));
        let changes = state.propose(command, &caller, Now::default()).unwrap();
        state.apply(&changes).unwrap();
    }
    println!(
        "a state of them built in {:.1} s",
        start.elapsed().as_secs_f64()
    );
    let mut published = state.clone();
    let spans = free_pairs(random, names, tree, rules.len(), |command| {
        let command = Command::Intention(command);
        let start = Instant::now();
        let changes = state.propose(command, &caller, Now::default()).ok()?;
        black_box(state.apply(&changes).unwrap());
        published = black_box(state.clone());
        Some(start.elapsed())
    });
    report_writes("the same through the state, rows included", spans);
}

/// Times writes of rules for pairs that have none.
fn free_pairs(
    random: &mut Random,
    names: &[String],
    tree: &Tree,
    taken: usize,
    mut write: impl FnMut(IntentionCommand) -> Option<Duration>,
) -> Vec<f64> {
    let mut spans = Vec::new();
    // A tenth of the pairs still free, so that looking for one ends.
    let rounds = 3_000.min((names.len() * names.len() - taken) / 10);
    while spans.len() < rounds {
        let source = random.pick(names).to_owned();
        let rule = (source, random.pick(names).to_owned(), true);
        if !tree.has(&rule.0, &rule.1)
            && let Some(span) = write(command(random, &rule))
        {
            spans.push(nanos(span) / 1000.0);
        }
    }
    assert!(!spans.is_empty(), "every pair has a rule already");
    spans
}

fn report_writes(what: &str, mut spans: Vec<f64>) {
    spans.sort_by(f64::total_cmp);
    let p99 = spans[spans.len() * 99 / 100];
    report(&format!("{what}, median"), median(spans), 50.0, "µs");
    println!("{:>62}  {p99:9.1} µs at p99", "");
}

fn command(random: &mut Random, (source, destination, allow): &Rule) -> IntentionCommand {
    let id = u128::from(random.next()) << 64 | u128::from(random.next());
    IntentionCommand::Create {
        id: IntentionId::from_bytes(id.to_be_bytes()),
        draft: IntentionDraft {
            source_name: source.clone(),
            destination_name: destination.clone(),
            action: if *allow { Action::Allow } else { Action::Deny }
                .as_str()
                .into(),
            ..IntentionDraft::default()
        },
    }
}

fn create(set: &mut IntentionSet, random: &mut Random, rule: &Rule) {
    let command = command(random, rule);
    for change in set.propose(&command, &|_| true, 2, Now::default()).unwrap() {
        set.apply(change);
    }
}

/// The obvious map: up to four look-ups.
#[derive(Clone)]
struct Tree(BTreeMap<String, BTreeMap<String, bool>>);

impl Tree {
    fn new(rules: &[Rule]) -> Self {
        let mut tree: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
        for (source, destination, allow) in rules {
            tree.entry(destination.clone())
                .or_default()
                .insert(source.clone(), *allow);
        }
        Self(tree)
    }

    fn decide(&self, source: &str, destination: &str) -> bool {
        let sides = [destination, "*"]
            .into_iter()
            .filter_map(|it| self.0.get(it));
        sides
            .flat_map(|by_source| [by_source.get(source), by_source.get("*")])
            .flatten()
            .next()
            .copied()
            .unwrap_or(false)
    }

    fn has(&self, source: &str, destination: &str) -> bool {
        self.0
            .get(destination)
            .is_some_and(|it| it.contains_key(source))
    }
}

/// As Consul 1.8: the rules of a destination are gathered, sorted and tried in turn.
struct Scan(BTreeMap<String, Vec<Rule>>);

impl Scan {
    fn new(rules: &[Rule]) -> Self {
        let mut lists: BTreeMap<String, Vec<Rule>> = BTreeMap::new();
        for rule in rules {
            lists.entry(rule.1.clone()).or_default().push(rule.clone());
        }
        Self(lists)
    }

    fn decide(&self, source: &str, destination: &str) -> bool {
        let lists = [destination, "*"]
            .into_iter()
            .filter_map(|it| self.0.get(it));
        let mut found: Vec<_> = lists.flatten().collect();
        found.sort_by_key(|it| (it.1 == "*", it.0 == "*"));
        let winner = found.into_iter().find(|it| it.0 == "*" || it.0 == source);
        winner.is_some_and(|it| it.2)
    }
}

fn report(what: &str, value: f64, bound: f64, unit: &str) {
    let verdict = if value <= bound { "held" } else { "MISSED" };
    println!("{what:>62}  {value:9.1} {unit:5}  at most {bound}: {verdict}");
}

fn other(what: &str, value: f64, unit: &str) {
    println!("{:>62}  {value:9.1} {unit}", format!("({what})"));
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn nanos(span: Duration) -> f64 {
    span.as_nanos() as f64
}

/// SplitMix64: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap()
    }

    fn pick<'a>(&mut self, names: &'a [String]) -> &'a str {
        &names[self.below(names.len())]
    }
}
