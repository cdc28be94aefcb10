//! The end is the end, and what is still needed stays.

use rustls_pki_types::CertificateDer;

use super::Report;
use super::stage::{Rooted, Stage, YEAR, ensure};
use crate::{CaProvider, CleanUpRequest, CleanUpScope, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record("clean up: may be called twice", twice(stage).await);
    report.record(
        "clean up: afterwards no leaf is signed",
        late_leaf(stage, CleanUpScope::Everything).await,
    );
    report.record(
        "clean up: of issuing alone ends signing too",
        late_leaf(stage, CleanUpScope::Issuing).await,
    );
    report.record(
        "clean up: afterwards no root is made",
        late_root(stage).await,
    );
    report.record(
        "clean up: leaves what it can do as it was",
        description(stage).await,
    );
    report.record(
        "clean up: a successor with the same root goes on",
        successor(stage, false).await,
    );
    report.record(
        "clean up: a successor with another root goes on",
        successor(stage, true).await,
    );
    report.record(
        "clean up: a stranger's certificate to keep is no reason to fail",
        stranger(stage).await,
    );
}

async fn twice<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    over(stage, &rooted, CleanUpScope::Everything).await?;
    over(stage, &rooted, CleanUpScope::Everything).await
}

async fn late_leaf<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    scope: CleanUpScope,
) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    over(stage, &rooted, scope).await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    stage.refused(rooted.provider.sign_leaf(&request).await)
}

async fn late_root<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    over(stage, &rooted, CleanUpScope::Everything).await?;
    let request = stage.root_request(1, YEAR)?;
    stage.refused(rooted.provider.root(&request).await)
}

async fn description<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let before = rooted.provider.describe();
    over(stage, &rooted, CleanUpScope::Everything).await?;
    ensure(rooted.provider.describe() == before, || {
        "the description changed".to_owned()
    })
}

/// As after a rotation: first the old one's issuing ends, later everything of it.
async fn successor<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    renew: bool,
) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state.clone(), 2, renew).await?;
    let mut keep = vec![
        old.answer.certificate.clone(),
        new.answer.certificate.clone(),
    ];
    keep.extend(intermediates(stage, &new).await?);
    for scope in [CleanUpScope::Issuing, CleanUpScope::Everything] {
        // The old root is trusted until the very end.
        if renew && scope == CleanUpScope::Everything {
            keep.retain(|kept| *kept != old.answer.certificate);
        }
        let request = CleanUpRequest {
            scope,
            keep: keep.clone(),
        };
        stage.done("clean up", old.provider.clean_up(&request).await)?;
        stage.verified(&new, &[], &[]).await?;
    }
    // The successor's successor finds everything as well.
    let next = stage.successor(new.answer.state, 3, false).await?;
    ensure(next.answer.certificate == new.answer.certificate, || {
        "after a restart it is another root".to_owned()
    })?;
    stage.verified(&next, &[], &[]).await
}

async fn stranger<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let (rooted, stranger) = (stage.rooted().await?, stage.rooted().await?);
    let request = CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: vec![stranger.answer.certificate.clone()],
    };
    stage.done("clean up", rooted.provider.clean_up(&request).await)?;
    stage.verified(&stranger, &[], &[]).await
}

/// What stands between its leafs and its root.
async fn intermediates<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    rooted: &Rooted<P>,
) -> Result<Vec<CertificateDer<'static>>, String> {
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let mut chain = stage.done("sign leaf", rooted.provider.sign_leaf(&request).await)?;
    chain.drain(..1.min(chain.len()));
    Ok(chain)
}

async fn over<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    rooted: &Rooted<P>,
    scope: CleanUpScope,
) -> Result<(), String> {
    let request = CleanUpRequest {
        scope,
        keep: Vec::new(),
    };
    stage.done("clean up", rooted.provider.clean_up(&request).await)
}
