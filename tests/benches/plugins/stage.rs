//! CAs in this process, and what a call into one takes.

use std::time::Duration;

use chancery_providers::{CaProvider, Guard, PluginFile, Wasm};
use chancery_tests::{guard_settings, guest, root_request, vault_configuration};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::Outcome;

/// The plugin `package`, loaded.
pub(crate) async fn load(package: &str) -> Outcome<PluginFile> {
    Ok(PluginFile::load(&guest(package).await, None, None).await?)
}

/// A plugin, configured and nothing more.
pub(crate) async fn configured(file: &PluginFile) -> Outcome<Wasm> {
    let mut plugin = Wasm::of(file.clone());
    let options = json!({"path": file.path()});
    plugin
        .configure(&vault_configuration(&options, None))
        .await?;
    Ok(plugin)
}

/// A CA behind a guard without limits, with a root. `name` is the provider's.
pub(crate) async fn guarded<P: CaProvider>(provider: P, name: &str) -> Outcome<Guard<P>> {
    let guard = Guard::new(provider, guard_settings(name));
    guard.root(&root_request(1, false)).await?;
    Ok(guard)
}

pub(crate) fn algorithms() -> chancery_core::Algorithms<'static> {
    rustls::crypto::aws_lc_rs::default_provider()
        .signature_verification_algorithms
        .all
}

/// Calls again and again for a slice of this process' time, and notes what one took of it, in
/// microseconds.
pub(crate) async fn slice(
    prices: &mut Vec<f64>,
    window: Duration,
    mut call: impl AsyncFnMut() -> Outcome<()>,
) -> Outcome<()> {
    let started = processor_time()?;
    let (mut calls, mut spent) = (0_u32, Duration::ZERO);
    while spent < window {
        for _ in 0..BETWEEN_LOOKS {
            call().await?;
        }
        calls += BETWEEN_LOOKS;
        spent = processor_time()?.saturating_sub(started);
    }
    prices.push(spent.as_secs_f64() * 1e6 / f64::from(calls));
    Ok(())
}

fn processor_time() -> Outcome<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

/// Looking at the clock takes a fraction of a microsecond.
const BETWEEN_LOOKS: u32 = 32;
