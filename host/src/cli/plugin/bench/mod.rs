//! `chancery plugin bench`: how fast a plugin signs, beside the built-in CA, and what it costs to
//! have one at all.

mod stage;

use std::time::{Duration, Instant};

use chancery_core::SignatureCheck;
use chancery_providers::{BuiltIn, CaProvider as _, OptionMap, SecretOptions, Wasm, split_secrets};
use clap::Args;
use serde_json::{Value, json};

use self::stage::Stage;
use super::given::Given;
use super::load;
use crate::cli::context::{Context, Failure};
use crate::cli::output::Output;
use crate::crypto;

/// Measure how fast a plugin signs leafs, beside the built-in CA, and what a fresh instance costs
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    given: Given,
    /// Seconds to measure each for
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    #[command(flatten)]
    output: Output,
}

/// What was measured.
struct Figures {
    /// Reading and compiling the plugin, and asking it what it is.
    load: Duration,
    built_in: Times,
    plugin: Times,
    /// Making an instance, configuring and dropping it.
    instance: Times,
}

/// What each round of one thing took, sorted.
struct Times(Vec<Duration>);

impl Bench {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        crypto::install();
        let (options, secrets) = self.given.options()?;
        let figures = Context::wait_for(self.measure(options, secrets))??;
        if self.output.is_json() {
            context.print_json(&figures.as_json());
        } else {
            figures.print(context);
        }
        Ok(0)
    }

    /// All in turns of a slice each, so that what else runs here hits all alike.
    async fn measure(
        &self,
        options: OptionMap,
        secrets: SecretOptions,
    ) -> Result<Figures, Failure> {
        let stage = Stage::set().await?;
        let start = Instant::now();
        let file = load(&self.given.file).await?;
        let load = start.elapsed();
        let none = stage.configuration(split_secrets(OptionMap::new()));
        let built_in = stage.ready(Box::new(BuiltIn::new()), &none, SignatureCheck::ParseOnly);
        let built_in = built_in.await?;
        let given = stage.configuration((options, secrets));
        let wasm = Box::new(Wasm::of(file.clone()));
        let plugin = stage.ready(wasm, &given, SignatureCheck::Verify).await?;
        let mut fresh = Wasm::of(file);
        fresh.configure(&given).await.map_err(failed)?;
        let (mut ours, mut theirs, mut instances) = (Vec::new(), Vec::new(), Vec::new());
        let end = Instant::now() + Duration::from_secs(self.seconds.saturating_mul(3));
        while Instant::now() < end {
            slice(&mut ours, || stage.sign(&built_in)).await?;
            slice(&mut theirs, || stage.sign(&plugin)).await?;
            slice(&mut instances, async || {
                fresh.make_instance().await.map_err(failed)
            })
            .await?;
        }
        Ok(Figures {
            load,
            built_in: Times::new(ours),
            plugin: Times::new(theirs),
            instance: Times::new(instances),
        })
    }
}

/// Does it again and again for a while, and notes what each time took.
async fn slice(
    times: &mut Vec<Duration>,
    work: impl AsyncFn() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let end = Instant::now() + SLICE;
    loop {
        let start = Instant::now();
        if start >= end {
            return Ok(());
        }
        work().await?;
        times.push(start.elapsed());
    }
}

impl Figures {
    /// How many of a hundred leafs of the built-in CA the plugin signs in the same time.
    fn share(&self) -> f64 {
        self.plugin.rate() / self.built_in.rate() * 100.0
    }

    fn print(&self, context: &mut Context<'_>) {
        context.print("                 per second      p50      p99");
        for (name, times) in [
            ("built-in CA", &self.built_in),
            ("plugin", &self.plugin),
            ("fresh instances", &self.instance),
        ] {
            context.print(format_args!("{name:<16} {times}"));
        }
        let share = self.share();
        context.print(format_args!(
            "the plugin signs {share:.0} % as many, one after another"
        ));
        let load = self.load.as_millis();
        context.print(format_args!(
            "it was read, compiled and asked what it is in {load} ms; an agent keeps what it compiled"
        ));
    }

    fn as_json(&self) -> Value {
        json!({
            "built_in": self.built_in.as_json(),
            "plugin": self.plugin.as_json(),
            "plugin_percent": self.share(),
            "fresh_instance": self.instance.as_json(),
            "load_ms": self.load.as_secs_f64() * 1e3,
        })
    }
}

impl Times {
    fn new(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self(times)
    }

    fn as_json(&self) -> Value {
        let micros = |percent| self.percentile(percent).as_secs_f64() * 1e6;
        json!({"per_second": self.rate(), "p50_us": micros(50), "p99_us": micros(99)})
    }

    /// In a second.
    fn rate(&self) -> f64 {
        let all: Duration = self.0.iter().sum();
        self.count() / all.as_secs_f64()
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "a benchmark makes fewer than 2^52 rounds"
    )]
    fn count(&self) -> f64 {
        self.0.len() as f64
    }

    /// The time that so many of a hundred rounds did not exceed.
    fn percentile(&self, percent: usize) -> Duration {
        let index = self.0.len().saturating_mul(percent) / 100;
        let last = self.0.len().saturating_sub(1);
        self.0.get(index.min(last)).copied().unwrap_or_default()
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let micros = |percent| self.percentile(percent).as_micros();
        write!(
            f,
            "{:>10.0} {:>5} µs {:>5} µs",
            self.rate(),
            micros(50),
            micros(99)
        )
    }
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("Error: {error}"))
}

const SLICE: Duration = Duration::from_millis(50);
