//! The shape in which Consul's `/v1/agent/metrics` answers.

use std::collections::BTreeMap;
use std::time::Duration;

use chancery_core::Timestamp;
use prometheus::proto::{Metric, MetricFamily, MetricType};
use serde::Serialize;

use super::Metrics;

/// All metrics, as Consul's clients read them. Consul counts anew every ten seconds; these count
/// from the start of the agent, and say as rate what came in a second since then.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct MetricsBody {
    timestamp: String,
    gauges: Vec<Gauge>,
    points: [(); 0],
    counters: Vec<Sampled>,
    samples: Vec<Sampled>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Gauge {
    name: String,
    value: f64,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sampled {
    name: String,
    count: u64,
    rate: f64,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
    stddev: f64,
    labels: BTreeMap<String, String>,
}

impl Metrics {
    pub(crate) fn consul(&self, now: Timestamp, running: Duration) -> MetricsBody {
        let text = now.whole_seconds().to_string();
        let mut body = MetricsBody {
            timestamp: text.replace('T', " ").replace('Z', " +0000 UTC"),
            gauges: Vec::new(),
            points: [],
            counters: Vec::new(),
            samples: Vec::new(),
        };
        let seconds = running.as_secs_f64().max(1.0);
        for family in self.registry.gather() {
            for metric in family.get_metric() {
                body.add(&family, metric, seconds);
            }
        }
        body
    }
}

impl MetricsBody {
    fn add(&mut self, family: &MetricFamily, metric: &Metric, seconds: f64) {
        let name = dotted(family.name());
        let labels = metric
            .get_label()
            .iter()
            .map(|label| (label.name().to_owned(), label.value().to_owned()))
            .collect();
        match family.get_field_type() {
            MetricType::COUNTER => {
                let value = metric.get_counter().get_value();
                self.counters.push(Sampled {
                    name,
                    count: whole(value),
                    rate: value / seconds,
                    sum: value,
                    min: 1.0,
                    max: 1.0,
                    mean: 1.0,
                    stddev: 0.0,
                    labels,
                });
            }
            MetricType::HISTOGRAM => {
                let histogram = metric.get_histogram();
                let (count, sum) = (histogram.get_sample_count(), histogram.get_sample_sum());
                let bound = |wanted: u64| {
                    histogram
                        .get_bucket()
                        .iter()
                        .find(|bucket| bucket.cumulative_count() >= wanted)
                        .map_or(0.0, prometheus::proto::Bucket::upper_bound)
                };
                self.samples.push(Sampled {
                    name,
                    count,
                    rate: sum / seconds,
                    sum,
                    // To the bound of the histogram in which it lies.
                    min: bound(1.min(count)),
                    max: bound(count),
                    mean: if count == 0 {
                        0.0
                    } else {
                        sum / precise(count)
                    },
                    stddev: 0.0,
                    labels,
                });
            }
            _ => {
                let value = metric.get_gauge().get_value();
                // JSON has no NaN: what is not known is not said.
                if value.is_finite() {
                    self.gauges.push(Gauge {
                        name,
                        value,
                        labels,
                    });
                }
            }
        }
    }
}

/// `consul.mesh.active-root-ca.expiry` and the like: the first word apart, as Consul has it.
fn dotted(name: &str) -> String {
    match name {
        "consul_mesh_active_root_ca_expiry" => "consul.mesh.active-root-ca.expiry".to_owned(),
        "consul_mesh_active_signing_ca_expiry" => "consul.mesh.active-signing-ca.expiry".to_owned(),
        _ => name.replacen('_', ".", 1),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a counter is a whole number and not negative"
)]
fn whole(value: f64) -> u64 {
    value as u64
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a mean over more than 2^53 calls may be off a little"
)]
fn precise(count: u64) -> f64 {
    count as f64
}
