//! What plugins have done, counted by them and copied when somebody looks.

use std::collections::BTreeMap;

use chancery_providers::{PluginCounts, plugins};
use prometheus::{IntCounterVec, IntGaugeVec, Registry};

use super::{counters, gauge_family};

/// One family for each count. The label is the plugin's own name, of which there are as many as
/// the operator has configured.
pub(super) struct Plugins {
    counts: Vec<(IntCounterVec, Count)>,
    memory: IntGaugeVec,
}

impl Plugins {
    pub(super) fn new(registry: &Registry) -> Self {
        let family =
            |(name, help, count): Family| (counters(registry, name, help, &["plugin"]), count);
        Self {
            counts: FAMILIES.into_iter().map(family).collect(),
            memory: gauge_family(
                registry,
                "chancery_plugin_memory_bytes",
                "Memory that the instances of a plugin hold now.",
                &["plugin"],
            ),
        }
    }

    /// Copies what is counted. Several that call themselves alike, as during a reload, are added
    /// up; what one counted that is gone stays counted nowhere, as after a restart.
    pub(super) fn look(&self) {
        let mut all: BTreeMap<String, Vec<PluginCounts>> = BTreeMap::new();
        for plugin in plugins() {
            all.entry(plugin.name).or_default().push(plugin.counts);
        }
        for (name, found) in &all {
            for (family, count) in &self.counts {
                let counter = family.with_label_values(&[name.as_str()]);
                counter.reset();
                counter.inc_by(found.iter().map(count).sum());
            }
            let memory: u64 = found.iter().map(|it| it.memory).sum();
            let memory = i64::try_from(memory).unwrap_or(i64::MAX);
            self.memory.with_label_values(&[name.as_str()]).set(memory);
        }
    }
}

/// What of a plugin's counts a family shows.
type Count = fn(&PluginCounts) -> u64;

/// Its name, its help, and what it shows.
type Family = (&'static str, &'static str, Count);

const FAMILIES: [Family; 10] = [
    (
        "chancery_plugin_calls_total",
        "Calls into a plugin.",
        |it| it.calls,
    ),
    (
        "chancery_plugin_call_microseconds_total",
        "What the calls into a plugin took, waiting for the network included.",
        |it| u64::try_from(it.time.as_micros()).unwrap_or(u64::MAX),
    ),
    (
        "chancery_plugin_failures_total",
        "Calls that a plugin answered with an error.",
        |it| it.failures,
    ),
    (
        "chancery_plugin_traps_total",
        "Calls that ended in a trap: a crash of the plugin, or too much of something.",
        |it| it.traps,
    ),
    (
        "chancery_plugin_timeouts_total",
        "Calls that were cut off because they took too long.",
        |it| it.timeouts,
    ),
    (
        "chancery_plugin_moved_calls_total",
        "Calls that were not done at once and went on in the plugin's own slow thread.",
        |it| it.moved,
    ),
    (
        "chancery_plugin_instances_total",
        "Instances made of a plugin.",
        |it| it.instances,
    ),
    (
        "chancery_plugin_denied_imports_total",
        "What a plugin asked of the host and was refused.",
        |it| it.denied_imports,
    ),
    (
        "chancery_plugin_http_requests_total",
        "HTTP requests that a plugin made.",
        |it| it.requests,
    ),
    (
        "chancery_plugin_http_denied_total",
        "HTTP requests that a plugin wanted to make and was not allowed.",
        |it| it.denied_requests,
    ),
];
