//! Errors have the right kind.

use chancery_core::Secret;
use serde_json::json;

use super::Report;
use super::stage::{CANARY, DAY, Stage};
use crate::{CaProvider, ErrorKind, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "configure: a wrong option is misconfigured",
        option(stage).await,
    );
    report.record(
        "configure: may be called again after an error",
        again(stage).await,
    );
    report.record(
        "configure: a state that is garbage is broken",
        state(stage).await,
    );
    report.record(
        "sign leaf: before the root is refused",
        early_leaf(stage).await,
    );
    report.record(
        "cross-sign: before the root is refused",
        early_cross(stage).await,
    );
}

async fn option<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let mut configuration = stage.configuration(None)?;
    let ttl = json!("a fortnight");
    configuration.options.insert("LeafCertTTL".to_owned(), ttl);
    let answer = stage.make().configure(&configuration).await;
    stage.failed(answer, ErrorKind::Misconfigured)
}

async fn again<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let good = stage.configuration(None)?;
    let mut bad = good.clone();
    bad.options
        .insert("PrivateKeyType".to_owned(), json!("dsa"));
    let mut provider = stage.make();
    stage.failed(provider.configure(&bad).await, ErrorKind::Misconfigured)?;
    stage.done("configure", provider.configure(&good).await)
}

async fn state<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    // Not the shape of any state, with something in it that nobody must see.
    let garbage = Secret::new(format!("{{\"version\": \"{CANARY}\"").into_bytes());
    let configuration = stage.configuration(Some(garbage))?;
    let answer = stage.make().configure(&configuration).await;
    stage.failed(answer, ErrorKind::Broken)
}

async fn early_leaf<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    stage.refused(provider.sign_leaf(&request).await)
}

async fn early_cross<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let foreign = stage.rooted().await?;
    let provider = stage.configured(None).await?;
    let request = stage.cross_sign_request(&foreign.answer.certificate, DAY)?;
    stage.refused(provider.cross_sign(&request).await)
}
