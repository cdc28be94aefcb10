//! `chancery plugin bench`: how fast a plugin signs, beside the built-in CA.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chancery_core::{
    Datacenter, Namespace, OperationId, Serial, ServiceId, ServiceName, SignatureCheck, SpiffeId,
    Timestamp, TrustDomain,
};
use chancery_providers::{
    BuiltIn, CaOptions, CaProvider, ConfigureRequest, Deadlines, Guard, GuardSettings,
    IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec, LeafRequest, Limits,
    OptionMap, RootRequest, RootTemplate, SecretOptions, Validity, Wasm, split_secrets,
};
use clap::Args;

use super::given::Given;
use super::load;
use crate::cli::context::{Context, Failure};
use crate::clock::Clock;
use crate::crypto;
use crate::leaf_key::LeafKey;

/// Measure how fast a plugin signs leafs, beside the built-in CA
#[derive(Debug, Args)]
pub(crate) struct Bench {
    #[command(flatten)]
    given: Given,
    /// Seconds to measure each for
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
}

/// What each round of one CA took, sorted.
struct Times(Vec<Duration>);

impl Bench {
    pub(super) fn run(self, context: &mut Context<'_>) -> Result<u8, Failure> {
        crypto::install();
        let (options, secrets) = self.given.options()?;
        let (built_in, plugin) = Context::wait_for(self.measure(options, secrets))??;
        context.print("              leafs/s      p50      p99");
        context.print(format_args!("built-in CA  {built_in}"));
        context.print(format_args!("plugin       {plugin}"));
        let share = plugin.rate() / built_in.rate() * 100.0;
        context.print(format_args!(
            "the plugin signs {share:.0} % as many, one after another"
        ));
        Ok(0)
    }

    /// Both in turns of a slice each, so that what else runs here hits both alike.
    async fn measure(
        &self,
        options: OptionMap,
        secrets: SecretOptions,
    ) -> Result<(Times, Times), Failure> {
        let stage = Stage::set().await?;
        let file = load(&self.given.file).await?;
        let none = split_secrets(OptionMap::new());
        let built_in = stage.ready(Box::new(BuiltIn::new()), none, SignatureCheck::ParseOnly);
        let built_in = built_in.await?;
        let wasm = Box::new(Wasm::of(file));
        let plugin = stage.ready(wasm, (options, secrets), SignatureCheck::Verify);
        let plugin = plugin.await?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let end = Instant::now() + Duration::from_secs(self.seconds.saturating_mul(2));
        while Instant::now() < end {
            stage.slice(&built_in, &mut ours).await?;
            stage.slice(&plugin, &mut theirs).await?;
        }
        ours.sort_unstable();
        theirs.sort_unstable();
        Ok((Times(ours), Times(theirs)))
    }
}

type Guarded = Guard<Box<dyn CaProvider>>;

/// A trust domain and a leaf to be signed in it.
struct Stage {
    trust_domain: TrustDomain,
    datacenter: Datacenter,
    clock: Clock,
    leaf: LeafRequest,
}

impl Stage {
    async fn set() -> Result<Self, Failure> {
        let trust_domain = TrustDomain::parse(DOMAIN).map_err(failed)?;
        let datacenter = Datacenter::parse("dc1").map_err(failed)?;
        let service = ServiceName::parse("bench").map_err(failed)?;
        let identity = SpiffeId::Service(ServiceId::new(
            trust_domain.clone(),
            Namespace::DEFAULT,
            datacenter.clone(),
            service,
        ));
        let key = LeafKey::make(&identity, KeySpec::EcP256).await;
        let key = key.map_err(failed)?;
        let csr = key.request(trust_domain.clone(), datacenter.clone());
        let csr = csr.map_err(failed)?;
        let clock = Clock::start();
        let validity = Validity::backdated(HOUR, clock.now().wall);
        let leaf = LeafRequest::new(&csr, serial(9)?, validity);
        Ok(Self {
            leaf: leaf.ok_or_else(|| Failure::new("Error: the name fits no leaf"))?,
            trust_domain,
            datacenter,
            clock,
        })
    }

    /// A CA behind the guard, with all that it needs to sign leafs.
    async fn ready(
        &self,
        provider: Box<dyn CaProvider>,
        (options, secrets): (OptionMap, SecretOptions),
        leaf_signatures: SignatureCheck,
    ) -> Result<Guarded, Failure> {
        let now = self.clock.now().wall;
        let clock = self.clock;
        let settings = GuardSettings {
            algorithms: crypto::algorithms(),
            leaf_signatures,
            clock: Arc::new(move || -> Timestamp { clock.now().wall }),
            deadlines: Deadlines::default(),
            limits: unlimited()?,
            observer: Arc::new(crate::metrics::Metrics::default()),
        };
        let mut guard = Guard::new(provider, settings);
        let request = ConfigureRequest {
            trust_domain: self.trust_domain.clone(),
            datacenter: self.datacenter.clone(),
            options,
            secrets,
            state: None,
        };
        guard.configure(&request).await.map_err(failed)?;
        let can = guard.describe().capabilities;
        let key = can.keys.first().copied().unwrap_or(KeySpec::EcP256);
        let root = RootRequest {
            operation: OperationId::from_bytes([1; 16]),
            renew: false,
            template: RootTemplate::new(
                "bench",
                &self.trust_domain,
                [1; 8],
                serial(1)?,
                key,
                HOUR * 48,
                now,
            ),
        };
        guard.root(&root).await.map_err(failed)?;
        if can.own_intermediate {
            let wanted = IntermediateRequest {
                operation: OperationId::from_bytes([2; 16]),
                renew: false,
                template: IntermediateTemplate::new(
                    "bench",
                    &self.trust_domain,
                    [2; 8],
                    serial(2)?,
                    HOUR * 24,
                    now,
                ),
                key,
            };
            let answer = guard.intermediate(&wanted).await.map_err(failed)?;
            if matches!(answer, IntermediateAnswer::Csr { .. }) {
                return Err(Failure::new(
                    "Error: its intermediate must be signed elsewhere, so nothing can be measured",
                ));
            }
        }
        Ok(guard)
    }

    /// Signs for a while.
    async fn slice(&self, guard: &Guarded, times: &mut Vec<Duration>) -> Result<(), Failure> {
        let end = Instant::now() + SLICE;
        loop {
            let start = Instant::now();
            if start >= end {
                return Ok(());
            }
            guard.issue_leaf(&self.leaf).await.map_err(failed)?;
            times.push(start.elapsed());
        }
    }
}

impl Times {
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
            "{:>9.0} {:>5} µs {:>5} µs",
            self.rate(),
            micros(50),
            micros(99)
        )
    }
}

/// As many signatures as there can be.
fn unlimited() -> Result<Limits, Failure> {
    let mut options = OptionMap::new();
    options.insert("CSRMaxPerSecond".to_owned(), 0.into());
    let options = CaOptions::parse(&options).map_err(failed)?;
    Ok(Limits::from(&options))
}

fn serial(byte: u8) -> Result<Serial, Failure> {
    Serial::from_be_bytes(&[byte; 8]).ok_or_else(|| failed("no serial number"))
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::new(format!("Error: {error}"))
}

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const HOUR: Duration = Duration::from_secs(3_600);
const SLICE: Duration = Duration::from_millis(50);
