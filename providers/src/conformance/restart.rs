//! The state brings everything back.

use super::Report;
use super::stage::{Stage, YEAR, ensure};
use crate::{CaProvider, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record("restart: the root is the same", same_root(stage).await);
    report.record(
        "restart: leafs come from the same root",
        same_issuer(stage).await,
    );
    report.record(
        "restart: two instances may live at once",
        beside(stage).await,
    );
}

async fn same_root<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let mut state = rooted.answer.state;
    drop(rooted.provider);
    for operation in [1, 2] {
        let provider = stage.configured(Some(state)).await?;
        let request = stage.root_request(operation, YEAR)?;
        let answer = stage.done("root", provider.root(&request).await)?;
        ensure(answer.certificate == rooted.answer.certificate, || {
            "another root was made".to_owned()
        })?;
        state = answer.state;
    }
    Ok(())
}

async fn same_issuer<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    drop(rooted.provider);
    let provider = stage.configured(Some(rooted.answer.state)).await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let chain = stage.done("sign leaf", provider.sign_leaf(&request).await)?;
    let issuer = stage.issuer_of(&chain, &rooted.root)?;
    stage.checked_leaf(&request, &chain, &issuer).map(drop)
}

async fn beside<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let second = stage.configured(Some(rooted.answer.state)).await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    for provider in [&rooted.provider, &second] {
        let chain = stage.done("sign leaf", provider.sign_leaf(&request).await)?;
        let issuer = stage.issuer_of(&chain, &rooted.root)?;
        stage.checked_leaf(&request, &chain, &issuer)?;
    }
    Ok(())
}
