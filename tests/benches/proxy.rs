//! Our pair of sidecars beside pairs of `consul connect proxy` 1.8.7 and of Envoy 1.40.0.
//!
//! `cargo bench -p chancery-tests --bench proxy`; behind `--`: `--rounds N`, `--workers N`
//! (threads of each proxy) and `--only NAME` (one pair alone, for a profiler). Without
//! `--bench` (as `cargo test` runs it) only our pair is tried, for an instant, and nothing is
//! judged.
//!
//! All pairs stand at the same time between the same client and the same application; each
//! round measures one after the other, and what is printed are medians of the rounds.

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use chancery_tests::{
    Agent, AgentKind, Backend, Ceiling, Goals, Pair, ProxyKind, RoundTrips, hold_connections,
    median, open_connections, round_trips, throughput,
};

type Outcome<T> = Result<T, Box<dyn Error>>;

const MIB: f64 = 1024.0 * 1024.0;
const IDLE: usize = 1000;
const OPENERS: usize = 8;
/// An Envoy that makes full handshakes, as the others do; only its new connections are counted.
const FULL: &str = "envoy without resumption";
const NAMES: [&str; 3] = ["chancery", "consul", "envoy"];

fn main() -> Outcome<()> {
    let options = Options::parse(std::env::args().skip(1))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()?;
    let cores = std::thread::available_parallelism()?;
    println!(
        "proxy pairs on {cores} cores, {} worker thread(s) a proxy, medians of {} rounds",
        options.workers, options.rounds
    );
    if !options.full {
        println!("a trial of an instant: no figure is judged, run `cargo bench` for that");
    }
    let backend = Backend::start()?;
    let agents = runtime.block_on(Agents::start(&options))?;
    let memory = {
        let pairs = runtime.block_on(agents.pairs(&options, "memory", backend.address()))?;
        measure_memory(&options, &pairs)?
    };
    let pairs = runtime.block_on(agents.pairs(&options, "load", backend.address()))?;
    let mut rounds = Vec::new();
    for _ in 0..options.rounds {
        rounds.push(Round::measure(&options, &pairs, backend.address())?);
    }
    report(&options, &rounds, &memory);
    Ok(())
}

struct Options {
    full: bool,
    rounds: usize,
    workers: usize,
    only: Option<String>,
    window: Duration,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Outcome<Self> {
        let mut options = Self {
            full: false,
            rounds: 5,
            workers: 1,
            only: None,
            window: Duration::from_secs(1),
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or("a value is missing");
            match argument.as_str() {
                "--bench" => options.full = true,
                "--rounds" => options.rounds = value()?.parse()?,
                "--workers" => options.workers = value()?.parse()?,
                "--only" => options.only = Some(value()?),
                _ => {}
            }
        }
        if !options.full {
            options.rounds = 1;
            options.only = Some("chancery".to_owned());
            options.window = Duration::from_millis(100);
        }
        Ok(options)
    }

    fn wants(&self, name: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == name)
    }
}

/// The agents that the pairs hang off.
struct Agents {
    ours: Option<Agent>,
    consuls: Option<Agent>,
}

impl Agents {
    async fn start(options: &Options) -> Outcome<Self> {
        let mut agents = Self {
            ours: None,
            consuls: None,
        };
        if options.wants("chancery") {
            agents.ours = Some(Agent::start(AgentKind::Chancery).await?);
        }
        if options.wants("consul") {
            agents.consuls = Some(Agent::start(AgentKind::Consul).await?);
        }
        Ok(agents)
    }

    /// One pair of each kind that is wanted, with nothing behind it yet.
    async fn pairs(
        &self,
        options: &Options,
        prefix: &str,
        app: SocketAddr,
    ) -> Outcome<Vec<(&'static str, Pair)>> {
        let workers = options.workers;
        let mut pairs = Vec::new();
        if let Some(agent) = &self.ours {
            let pair = Pair::start(agent, ProxyKind::Chancery, prefix, app, workers).await?;
            pairs.push(("chancery", pair));
        }
        if let Some(agent) = &self.consuls {
            let pair = Pair::start(agent, ProxyKind::Consul, prefix, app, workers).await?;
            pairs.push(("consul", pair));
        }
        if options.wants("envoy") {
            pairs.push(("envoy", Pair::start_envoy(app, workers, true).await?));
            pairs.push((FULL, Pair::start_envoy(app, workers, false).await?));
        }
        Ok(pairs)
    }
}

/// The memory of the larger process of a pair, in bytes.
struct Memory {
    name: &'static str,
    fresh: f64,
    /// What of that is the process' own.
    private: f64,
    holding: f64,
}

fn measure_memory(options: &Options, pairs: &[(&'static str, Pair)]) -> Outcome<Vec<Memory>> {
    let count = if options.full { IDLE } else { 10 };
    let mut found = Vec::new();
    for (name, pair) in pairs.iter().filter(|(name, _)| *name != FULL) {
        let fresh = pair.resident()? as f64;
        let private = pair.private()? as f64;
        let held = of(
            name,
            "idle connections",
            hold_connections(pair.entry(), count, 4096),
        )?;
        let holding = pair.resident()? as f64;
        drop(held);
        found.push(Memory {
            name,
            fresh,
            private,
            holding,
        });
    }
    Ok(found)
}

/// What one round found out about one pair.
#[derive(Clone, Copy, Default)]
struct Figures {
    /// Bytes a second over one connection and over eight.
    single: f64,
    eight: f64,
    /// Seconds of processor time of the pair for a gigabyte over eight.
    cpu_per_gigabyte: f64,
    opened: f64,
    failed: u64,
    /// Milliseconds of processor time of the pair for a connection.
    cpu_per_connection: f64,
    trips: RoundTrips,
}

/// Says whose figure could not be had.
fn of<T>(name: &str, what: &str, result: std::io::Result<T>) -> Outcome<T> {
    result.map_err(|error| format!("{name}: {what}: {error}").into())
}

/// All pairs but the one that is there for its handshakes.
fn stock<'a>(
    pairs: &'a [(&'static str, Pair)],
    figures: &'a mut [Figures],
) -> impl Iterator<Item = (&'a (&'static str, Pair), &'a mut Figures)> {
    let both = pairs.iter().zip(figures);
    both.filter(|((name, _), _)| *name != FULL)
}

struct Round {
    ceiling: Ceiling,
    direct: RoundTrips,
    pairs: Vec<(&'static str, Figures)>,
}

impl Round {
    fn measure(
        options: &Options,
        pairs: &[(&'static str, Pair)],
        backend: SocketAddr,
    ) -> Outcome<Self> {
        let ceiling = Ceiling::measure()?;
        let direct = round_trips(backend, options.window)?;
        let mut figures = vec![Figures::default(); pairs.len()];
        for ((name, pair), figures) in stock(pairs, &mut figures) {
            figures.trips = of(
                name,
                "round trips",
                round_trips(pair.entry(), options.window),
            )?;
        }
        for ((name, pair), figures) in stock(pairs, &mut figures) {
            figures.single = of(
                name,
                "one connection",
                throughput(pair.entry(), 1, options.window),
            )?;
        }
        for ((name, pair), figures) in stock(pairs, &mut figures) {
            let before = pair.cpu_time()?;
            figures.eight = of(
                name,
                "8 connections",
                throughput(pair.entry(), 8, options.window),
            )?;
            let used = (pair.cpu_time()? - before).as_secs_f64();
            figures.cpu_per_gigabyte = used / (figures.eight * options.window.as_secs_f64() / 1e9);
        }
        for ((name, pair), figures) in pairs.iter().zip(&mut figures) {
            let before = pair.cpu_time()?;
            let opened = open_connections(pair.entry(), OPENERS, options.window);
            let opened = of(name, "new connections", opened)?;
            let used = (pair.cpu_time()? - before).as_secs_f64();
            figures.opened = opened.per_second;
            figures.failed = opened.failed;
            figures.cpu_per_connection =
                1e3 * used / (opened.per_second * options.window.as_secs_f64());
        }
        let names = pairs.iter().map(|(name, _)| *name);
        Ok(Self {
            ceiling,
            direct,
            pairs: names.zip(figures).collect(),
        })
    }
}

/// The medians of a figure, a pair each.
struct Row<'a> {
    rounds: &'a [Round],
}

impl Row<'_> {
    fn of(&self, name: &str, figure: impl Fn(&Figures) -> f64) -> Option<f64> {
        let all: Vec<f64> = self
            .rounds
            .iter()
            .flat_map(|round| &round.pairs)
            .filter(|(of, _)| *of == name)
            .map(|(_, figures)| figure(figures))
            .collect();
        (!all.is_empty()).then(|| median(&all))
    }

    fn over(&self, figure: impl Fn(&Round) -> f64) -> f64 {
        median(&self.rounds.iter().map(figure).collect::<Vec<_>>())
    }
}

fn print_row(title: &str, values: [Option<f64>; 3], digits: usize) {
    let columns = values.map(|value| match value {
        Some(value) => format!("{value:>10.digits$}"),
        None => format!("{:>10}", "-"),
    });
    println!("{title:<46}{}", columns.concat());
}

fn report(options: &Options, rounds: &[Round], memory: &[Memory]) {
    let row = Row { rounds };
    let all = |figure: &dyn Fn(&Figures) -> f64| NAMES.map(|name| row.of(name, figure));
    let mut goals = Goals::new();
    println!(
        "{:<46}{:>10}{:>10}{:>10}",
        "", "chancery", "consul", "envoy"
    );

    for (title, figure) in [
        (
            "one connection",
            &(|it: &Figures| it.single) as &dyn Fn(&Figures) -> f64,
        ),
        ("8 connections", &|it: &Figures| it.eight),
    ] {
        let values = all(&|it| figure(it) / 1e6);
        print_row(&format!("throughput, {title} (MB/s)"), values, 0);
        let [ours, consul, envoy] = values.map(Option::unwrap_or_default);
        let goal = format!("throughput, {title}: 1.2 times the better peer");
        goals.at_least(&goal, ours, 1.2 * consul.max(envoy));
    }
    let values = all(&|it| it.cpu_per_gigabyte);
    print_row("  processor time of the pair (s/GB)", values, 2);
    let ceiling = row.over(|round| round.ceiling.rate()) / 1e6;
    let hop = row.over(|round| round.ceiling.hop) * 1e9;
    let tls = row.over(|round| round.ceiling.tls) * 1e9;
    println!(
        "  ceiling of this machine: {ceiling:.0} MB/s (3 hops of {hop:.2} s/GB, AES-128-GCM both \
         ways {tls:.2} s/GB, all cores)"
    );

    let values = all(&|it| it.opened);
    print_row("new connections (1/s)", values, 0);
    let [ours, consul, envoy] = values.map(Option::unwrap_or_default);
    goals.at_least("new connections: 3 times Consul's", ours, 3.0 * consul);
    goals.at_least("new connections: 1.5 times Envoy's", ours, 1.5 * envoy);
    let values = all(&|it| it.cpu_per_connection);
    print_row("  processor time of the pair (ms each)", values, 3);
    if let (Some(opened), Some(cpu)) = (
        row.of(FULL, |it| it.opened),
        row.of(FULL, |it| it.cpu_per_connection),
    ) {
        println!(
            "  {FULL} (as stock it shows no certificate on most connections): \
             {opened:.0}/s, {cpu:.3} ms each"
        );
    }
    let failed = NAMES.map(|name| {
        let of = rounds.iter().flat_map(|round| &round.pairs);
        let failed = of.filter(|(of, _)| *of == name).map(|(_, it)| it.failed);
        row.of(name, |_| 0.0).map(|_| failed.sum::<u64>() as f64)
    });
    print_row("  failed, in all rounds", failed, 0);

    type Part = fn(&RoundTrips) -> f64;
    for (title, part) in [
        ("p50", (|trips| trips.p50) as Part),
        ("p99", |trips| trips.p99),
    ] {
        let direct = row.over(|round| part(&round.direct));
        let values = all(&|it| part(&it.trips)).map(|it| it.map(|it| it - direct));
        print_row(
            &format!("added latency {title} (µs; direct {direct:.0})"),
            values,
            0,
        );
        let [ours, consul, envoy] = values.map(Option::unwrap_or_default);
        goals.at_most(
            &format!("added latency {title}: below both"),
            ours,
            consul.min(envoy),
        );
    }

    let each = |figure: &dyn Fn(&Memory) -> f64| {
        NAMES.map(|name| memory.iter().find(|it| it.name == name).map(figure))
    };
    print_row("memory, fresh (MiB)", each(&|it| it.fresh / MIB), 1);
    let private = each(&|it| it.private / MIB);
    print_row("  of it no part of the program (MiB)", private, 1);
    let holding = each(&|it| it.holding / MIB);
    print_row(
        &format!("memory, {IDLE} idle connections (MiB)"),
        holding,
        1,
    );
    let grown = each(&|it| (it.holding - it.fresh) / 1024.0 / IDLE as f64);
    print_row("  each (KiB)", grown, 1);
    let [fresh, ..] = each(&|it| it.fresh / MIB).map(Option::unwrap_or_default);
    goals.at_most("memory: 10 MB without connections", fresh, 10.0);
    let [ours, ..] = holding.map(Option::unwrap_or_default);
    let allowed = 10.0 + IDLE as f64 * 16.0 / 1024.0;
    goals.at_most("memory: 10 MB and 16 KB each", ours, allowed);
    if options.full && options.only.is_none() {
        println!("{goals}");
    } else {
        println!("no goal is judged: not all pairs were measured");
    }
}
