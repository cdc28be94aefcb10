//! What all connections of one proxy share.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chancery_core::BUNDLE_MAX_AGE;
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::proxy::agent_api::{AgentApi, IntentionRow, Leaf, Roots};
use crate::proxy::buffer::Pool;
use crate::proxy::limits::Limits;
use crate::proxy::tls::Material;
use crate::proxy::watch::{Snapshot, Watched};

/// Shared by the listeners and their connections.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) agent: AgentApi,
    pub(crate) pool: Pool,
    /// Fires when the proxy stops: nothing new is begun.
    pub(crate) stopping: CancellationToken,
    /// The certificate and roots in use.
    pub(crate) material: watch::Receiver<Option<Arc<Material>>>,
    pub(crate) leaf: Watched<Leaf>,
    pub(crate) roots: Watched<Roots>,
    pub(crate) intentions: Watched<Vec<IntentionRow>>,
    limits: RwLock<Limits>,
}

impl Context {
    pub(crate) fn new(
        agent: AgentApi,
        limits: Limits,
        material: watch::Receiver<Option<Arc<Material>>>,
        leaf: Watched<Leaf>,
        roots: Watched<Roots>,
        intentions: Watched<Vec<IntentionRow>>,
    ) -> Self {
        Self {
            agent,
            pool: Pool::default(),
            stopping: CancellationToken::new(),
            material,
            leaf,
            roots,
            intentions,
            limits: RwLock::new(limits),
        }
    }

    /// The bounds for a new connection.
    pub(crate) fn limits(&self) -> Limits {
        self.limits
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(crate) fn set_limits(&self, limits: Limits) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// The certificate and roots for a new outbound connection, waited for until `deadline`.
    ///
    /// # Errors
    /// Why there are none, or why they are not to be used any more.
    pub(crate) async fn ready(&self, deadline: Instant) -> Result<Arc<Material>, String> {
        let mut material = self.material.clone();
        let waited = timeout_at(deadline, material.wait_for(Option::is_some)).await;
        let found = waited
            .ok()
            .and_then(Result::ok)
            .and_then(|slot| slot.clone());
        let found = found.ok_or("the agent has given no certificate and roots yet")?;
        check_age("certificate", age(&self.leaf), self.limits().agent_silence)?;
        let roots = self.roots_age();
        check_age(
            "roots",
            roots.map(|(age, _)| age),
            self.limits().agent_silence,
        )?;
        if let Some((age, allowed)) = roots {
            check_age("roots", Some(age), allowed)?;
        }
        Ok(found)
    }

    /// How long ago the agent last confirmed the roots, and how old they may get: peers with
    /// newer leafs are not sure to verify against older ones.
    pub(crate) fn roots_age(&self) -> Option<(Duration, Duration)> {
        let slot = self.roots.borrow();
        slot.as_ref().map(|snapshot| {
            let allowed = snapshot.bundle_max_age.unwrap_or(BUNDLE_MAX_AGE);
            (snapshot.confirmed.elapsed(), allowed)
        })
    }

    /// The same for a new inbound connection, which also needs intentions of a known age.
    ///
    /// # Errors
    /// Why it must be refused.
    pub(crate) async fn ready_to_judge(&self, deadline: Instant) -> Result<Arc<Material>, String> {
        let silence = self.limits().agent_silence;
        check_age("intentions", age(&self.intentions), silence)?;
        self.ready(deadline).await
    }
}

/// How long ago the agent last confirmed what is held.
fn age<T>(watched: &Watched<T>) -> Option<Duration> {
    let slot = watched.borrow();
    slot.as_ref()
        .map(|snapshot: &Snapshot<T>| snapshot.confirmed.elapsed())
}

fn check_age(what: &str, age: Option<Duration>, allowed: Duration) -> Result<(), String> {
    match age {
        Some(age) if age > allowed => Err(format!(
            "the {what} were last confirmed by the agent {} s ago, allowed are {} s",
            age.as_secs(),
            allowed.as_secs()
        )),
        Some(_) => Ok(()),
        None => Err(format!("the agent has not told the {what} yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_old_is_not_used() {
        let allowed = Duration::from_secs(60);
        assert_eq!(check_age("roots", Some(allowed), allowed), Ok(()));
        let refused = check_age("roots", Some(Duration::from_secs(61)), allowed);
        let text = "the roots were last confirmed by the agent 61 s ago, allowed are 60 s";
        assert_eq!(refused, Err(text.to_owned()));
    }

    #[test]
    fn what_never_came_is_not_used() {
        assert!(check_age("roots", None, Duration::MAX).is_err());
    }
}
