//! What is set when somebody looks.

use chancery_core::{Authority, Step, Timestamp};
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use super::{Metrics, gauge_family};
use crate::agent::leafs::LeafFacts;

/// The steps of a rotation by name, so that each is there from the start.
const STEPS: [&str; 5] = [
    "preparing",
    "awaiting signature",
    "accepting",
    "linking",
    "trying",
];

pub(super) struct Gauges {
    first_failure: Gauge,
    active_root: Gauge,
    signing_ca: Gauge,
    roots: IntGauge,
    leafs: IntGaugeVec,
    rotation: IntGaugeVec,
    tasks: IntGauge,
}

impl Gauges {
    pub(super) fn new(registry: &Registry) -> Self {
        Self {
            first_failure: gauge(
                registry,
                "chancery_seconds_to_first_failed_handshake",
                "Seconds until the first handshake fails if nothing is done; 0 if it has.",
            ),
            active_root: gauge(
                registry,
                "consul_mesh_active_root_ca_expiry",
                "Seconds until the active root ends.",
            ),
            signing_ca: gauge(
                registry,
                "consul_mesh_active_signing_ca_expiry",
                "Seconds until the certificate ends that signs leafs.",
            ),
            roots: whole(registry, "chancery_roots", "Trusted roots."),
            leafs: gauge_family(
                registry,
                "chancery_leafs",
                "Leafs of this agent: all, those that cannot be renewed, those of an issuer \
                 that signs no more.",
                &["state"],
            ),
            rotation: gauge_family(
                registry,
                "chancery_rotation_step",
                "1 at the step at which a change of the CA is.",
                &["step"],
            ),
            tasks: whole(
                registry,
                "chancery_tasks",
                "Tasks of the agent that have not ended: its own, and those of connections.",
            ),
        }
    }
}

impl Metrics {
    /// Sets what is only known by looking. Without an end, or without a CA, a gauge is NaN.
    pub(crate) fn look(
        &self,
        authority: &Authority,
        leafs: &[LeafFacts],
        first_failure: Option<Timestamp>,
        now: Timestamp,
    ) {
        self.plugins.look();
        let gauges = &self.gauges;
        let left = |end: Option<Timestamp>| {
            end.map_or(f64::NAN, |end| end.saturating_since(now).as_secs_f64())
        };
        let active = authority.active_root();
        gauges.first_failure.set(left(first_failure));
        gauges
            .active_root
            .set(left(active.map(|root| root.not_after)));
        let signing = active.map(|root| root.issuer_life().not_after);
        gauges.signing_ca.set(left(signing));
        gauges.roots.set(count(authority.roots().count()));
        let signs = active.map(|root| root.signing_key_id.as_str());
        let failing = leafs.iter().filter(|leaf| leaf.failure.is_some()).count();
        let outdated = leafs
            .iter()
            .filter(|leaf| leaf.issuer_key_id.is_some() && leaf.issuer_key_id.as_deref() != signs);
        for (state, found) in [
            ("all", leafs.len()),
            ("failing", failing),
            ("outdated", outdated.count()),
        ] {
            gauges.leafs.with_label_values(&[state]).set(count(found));
        }
        let step = authority
            .record()
            .and_then(|record| record.rotation.as_deref())
            .map(|rotation| Step::name(&rotation.step));
        for name in STEPS {
            let is_at = i64::from(step == Some(name));
            gauges.rotation.with_label_values(&[name]).set(is_at);
        }
        let runtime = tokio::runtime::Handle::try_current();
        let tasks = runtime.map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        gauges.tasks.set(count(tasks));
    }
}

fn count(found: usize) -> i64 {
    i64::try_from(found).unwrap_or(i64::MAX)
}

#[expect(clippy::expect_used, reason = "constants that a test has checked")]
fn gauge(registry: &Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::with_opts(Opts::new(name, help)).expect("a name");
    registry.register(Box::new(gauge.clone())).expect("one");
    gauge
}

#[expect(clippy::expect_used, reason = "constants that a test has checked")]
fn whole(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let gauge = IntGauge::with_opts(Opts::new(name, help)).expect("a name");
    registry.register(Box::new(gauge.clone())).expect("one");
    gauge
}
