//! What is counted, in the form of Prometheus and in Consul's.
//!
//! Labels are fixed words (providers, operations, rules): nothing that a stranger sends can make
//! a new one.

mod consul;
mod gauges;
mod plugins;

use chancery_providers::{Call, Ending, Observer};
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};
use std::time::Duration;

use gauges::Gauges;
use plugins::Plugins;

/// Bounds of the histogram in seconds: a leaf of the built-in CA takes a fraction of a
/// millisecond, a remote one is given up after ten seconds.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 2.5, 10.0, 60.0,
];

/// All metrics of one agent. Cheap to count with; gauges are set when somebody looks.
pub struct Metrics {
    registry: Registry,
    calls: IntCounterVec,
    in_flight: IntGaugeVec,
    seconds: HistogramVec,
    refused: IntCounterVec,
    pauses: IntCounterVec,
    effect_failures: IntCounterVec,
    gauges: Gauges,
    plugins: Plugins,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        Self {
            calls: counters(
                &registry,
                "chancery_provider_calls_total",
                "Calls to CA providers that have ended, signing leafs among them.",
                &["provider", "operation", "outcome"],
            ),
            in_flight: gauge_family(
                &registry,
                "chancery_provider_calls_in_flight",
                "Calls to CA providers under way.",
                &["provider", "operation"],
            ),
            seconds: histograms(
                &registry,
                "chancery_provider_call_seconds",
                "How long calls to CA providers take, waiting and retries included.",
                &["provider", "operation"],
            ),
            refused: counters(
                &registry,
                "chancery_policy_refusals_total",
                "Answers of CA providers that broke a rule of the certificate policy.",
                &["provider", "rule"],
            ),
            pauses: counters(
                &registry,
                "chancery_provider_pauses_total",
                "How often a CA provider that kept failing was left alone for a while.",
                &["provider", "operation"],
            ),
            effect_failures: counters(
                &registry,
                "chancery_authority_effect_failures_total",
                "Failures of what the certificate authority wanted done.",
                &["effect"],
            ),
            gauges: Gauges::new(&registry),
            plugins: Plugins::new(&registry),
            registry,
        }
    }
}

impl Metrics {
    /// An effect of the authority has failed.
    pub(crate) fn effect_failed(&self, effect: &str) {
        self.effect_failures.with_label_values(&[effect]).inc();
    }

    /// In the text format of Prometheus.
    ///
    /// # Errors
    /// Only if a metric is none, which no test lets pass.
    pub(crate) fn prometheus(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }

    fn histogram(&self, call: &Call<'_>) -> Histogram {
        let operation = call.operation.to_string();
        self.seconds
            .with_label_values(&[call.provider, operation.as_str()])
    }
}

impl Observer for Metrics {
    fn started(&self, call: &Call<'_>) {
        let operation = call.operation.to_string();
        self.in_flight
            .with_label_values(&[call.provider, operation.as_str()])
            .inc();
    }

    fn finished(&self, call: &Call<'_>, ending: &Ending) {
        let (operation, outcome) = (call.operation.to_string(), ending.outcome.to_string());
        self.in_flight
            .with_label_values(&[call.provider, operation.as_str()])
            .dec();
        self.calls
            .with_label_values(&[call.provider, operation.as_str(), outcome.as_str()])
            .inc();
        self.histogram(call).observe(ending.duration.as_secs_f64());
        if let Some(rule) = ending.rule {
            self.refused.with_label_values(&[call.provider, rule]).inc();
        }
    }

    fn paused(&self, call: &Call<'_>, pause: Duration) {
        let operation = call.operation.to_string();
        self.pauses
            .with_label_values(&[call.provider, operation.as_str()])
            .inc();
        tracing::warn!(
            provider = call.provider,
            operation,
            seconds = pause.as_secs(),
            "the CA provider fails again and again, it is left alone for a while"
        );
    }

    fn resumed(&self, call: &Call<'_>) {
        tracing::info!(
            provider = call.provider,
            operation = %call.operation,
            "the CA provider answers again"
        );
    }
}

// Names, helps and labels are constants of this module, and its tests make all of them.
#[expect(clippy::expect_used, reason = "constants that a test has checked")]
fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let family = IntCounterVec::new(Opts::new(name, help), labels).expect("a name");
    registry.register(Box::new(family.clone())).expect("one");
    family
}

#[expect(clippy::expect_used, reason = "constants that a test has checked")]
fn gauge_family(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    let family = IntGaugeVec::new(Opts::new(name, help), labels).expect("a name");
    registry.register(Box::new(family.clone())).expect("one");
    family
}

#[expect(clippy::expect_used, reason = "constants that a test has checked")]
fn histograms(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> HistogramVec {
    let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
    let family = HistogramVec::new(options, labels).expect("a name");
    registry.register(Box::new(family.clone())).expect("one");
    family
}

#[cfg(test)]
mod tests;
