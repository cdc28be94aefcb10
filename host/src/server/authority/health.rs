//! How the provider and the clock are, for the doctor.

use std::time::Duration;

use chancery_core::Timestamp;
use chancery_providers::{CaProvider as _, Finding, Stops};
use tokio::time::Instant;

use super::{AuthorityHost, lock};

/// How long whoever asks waits for the provider.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long an answer holds: a metric that is read often must not become a load on a backend.
const FRESH: Duration = Duration::from_secs(15);

/// What the provider said last.
#[derive(Default)]
pub(super) struct Health {
    last: tokio::sync::Mutex<Option<(Instant, Vec<Finding>)>>,
}

impl AuthorityHost {
    /// What the provider that signs says about itself; that it cannot be asked is a finding.
    pub async fn provider_findings(&self) -> Vec<Finding> {
        let mut last = self.inner.health.last.lock().await;
        if let Some((at, findings)) = &*last
            && at.elapsed() < FRESH
        {
            return findings.clone();
        }
        let asked = tokio::time::timeout(PATIENCE, self.ask_provider());
        let findings = asked.await.unwrap_or_else(|_elapsed| {
            vec![Finding::new(
                "CA provider",
                format!("it did not answer within {} s", PATIENCE.as_secs()),
                "see whether its backend can be reached",
                None,
                Stops::Nothing,
            )]
        });
        *last = Some((Instant::now(), findings.clone()));
        findings
    }

    async fn ask_provider(&self) -> Vec<Finding> {
        let view = self.inner.server.view();
        let authority = view.state().authority();
        let (Some(record), Some(configuration)) = (authority.record(), authority.configuration())
        else {
            return Vec::new();
        };
        let epoch = record.stage.epoch();
        let memory = authority.memory(epoch);
        match self
            .incarnation(epoch, configuration, memory.as_ref())
            .await
        {
            Ok(incarnation) => incarnation.guard.findings().await,
            Err(error) => vec![Finding::new(
                "CA provider",
                format!("{:?} cannot be set up: {error}", configuration.provider),
                "see the reason; cached leafs go on until they end",
                Some(Duration::ZERO),
                Stops::Signing,
            )],
        }
    }

    /// When the wall clock was last set while this agent ran, and by how much.
    #[must_use]
    pub fn clock_was_set(&self) -> Option<(Timestamp, Duration)> {
        lock(&self.inner.steadiness).set()
    }
}
