//! A request for the root, for CAs that sign nothing else.

use super::Report;
use super::stage::{Stage, ensure, text};
use crate::CaProvider;

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "root csr: has the root's name and key, if there is one",
        good(stage).await,
    );
    report.record(
        "root csr: there is one if it is claimed, else none",
        claimed(stage).await,
    );
}

async fn good<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    match stage.done("root csr", rooted.provider.root_csr().await)? {
        Some(csr) => rooted
            .root
            .issuer()
            .check_own_request(&csr, stage.setup.algorithms)
            .map_err(text),
        None => Ok(()),
    }
}

async fn claimed<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let claims = rooted.provider.describe().capabilities.root_csr;
    let csr = stage.done("root csr", rooted.provider.root_csr().await)?;
    ensure(csr.is_some() == claims, || match claims {
        true => "it is claimed, but there is none".to_owned(),
        false => "it is not claimed, but there is one".to_owned(),
    })
}
