//! Another CA's root under this one's.

use chancery_core::{
    CaPolicy, CheckedIntermediate, IntermediateExpectation, PeerRole, SignatureCheck, TrustBundle,
};
use rustls_pki_types::CertificateDer;

use super::Report;
use super::stage::{DAY, HOUR, Rooted, Stage, YEAR, ensure, same, text, trust_domain};
use crate::{CaProvider, CrossSignRequest, KeySpec};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "cross-sign: keeps name, key and key identifier",
        keeps(stage).await,
    );
    report.record("cross-sign: does not outlive the root", cut(stage).await);
    report.record(
        "cross-sign: old bundles verify new leafs",
        verifies(stage).await,
    );
    report.record(
        "cross-sign: a root that comes with a request is signed alike",
        requested(stage).await,
    );
    report.record("cross-sign: a leaf is refused", leaf(stage).await);
    report.record(
        "cross-sign: bytes that are no certificate are refused",
        garbage(stage).await,
    );
}

/// A wish to have `new`'s root signed by `old`, with the request that this needs.
pub(super) async fn wish<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    old: &Rooted<P>,
    new: &Rooted<P>,
) -> Result<CrossSignRequest, String> {
    let mut request = stage.cross_sign_request(&new.answer.certificate, 7 * DAY)?;
    if old.provider.describe().capabilities.needs_root_csr {
        request.csr = stage.done("root csr", new.provider.root_csr().await)?;
    }
    Ok(request)
}

/// `new`'s root signed by `old`, checked; `None` if refused by a provider that says so.
async fn cross<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    old: &Rooted<P>,
    new: &Rooted<P>,
) -> Result<Option<CertificateDer<'static>>, String> {
    let request = wish(stage, old, new).await?;
    crossed(stage, old, new, &request).await
}

async fn crossed<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    old: &Rooted<P>,
    new: &Rooted<P>,
    request: &CrossSignRequest,
) -> Result<Option<CertificateDer<'static>>, String> {
    let answer = old.provider.cross_sign(request).await;
    if !old.provider.describe().capabilities.cross_sign {
        stage.refused(answer)?;
        return Ok(None);
    }
    let crossed = stage.done("cross-sign", answer)?;
    let foreign = new.root.issuer();
    let policy = CaPolicy::any();
    let expected = IntermediateExpectation {
        spki_der: foreign.spki_der(),
        issuer: old.root.issuer(),
        not_after: request.validity.not_after,
        policy: &policy,
        signature: SignatureCheck::Verify,
    };
    let (algorithms, now) = (stage.setup.algorithms, stage.now());
    let checked = CheckedIntermediate::check(&crossed, &expected, algorithms, now).map_err(text)?;
    ensure(
        checked.issuer().subject_der() == foreign.subject_der(),
        || format!("its name is {}", checked.issuer().subject()),
    )?;
    same(checked.issuer().subject_key_id(), foreign.subject_key_id())?;
    Ok(Some(crossed))
}

async fn keeps<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let (old, new) = (stage.rooted().await?, stage.rooted().await?);
    cross(stage, &old, &new).await.map(drop)
}

async fn cut<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let (old, new) = (
        stage.rooted_for(2 * HOUR).await?,
        stage.rooted_for(YEAR).await?,
    );
    cross(stage, &old, &new).await.map(drop)
}

async fn verifies<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let (old, new) = (stage.rooted().await?, stage.rooted().await?);
    let Some(crossed) = cross(stage, &old, &new).await? else {
        return Ok(());
    };
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let mut chain = stage.done("sign leaf", new.provider.sign_leaf(&request).await)?;
    chain.push(crossed);
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for root in [&old.root, &new.root] {
        let bundle = TrustBundle::new(trust_domain()?, [root.clone()]).map_err(text)?;
        let (algorithms, now) = (stage.setup.algorithms, stage.now());
        bundle
            .verify_peer(&chain, PeerRole::Server, algorithms, now)
            .map_err(text)?;
    }
    Ok(())
}

async fn requested<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let (old, new) = (stage.rooted().await?, stage.rooted().await?);
    let mut request = stage.cross_sign_request(&new.answer.certificate, 7 * DAY)?;
    request.csr = stage.done("root csr", new.provider.root_csr().await)?;
    if request.csr.is_none() && old.provider.describe().capabilities.needs_root_csr {
        return stage.refused(old.provider.cross_sign(&request).await);
    }
    crossed(stage, &old, &new, &request).await.map(drop)
}

async fn leaf<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let chain = stage.done("sign leaf", rooted.provider.sign_leaf(&request).await)?;
    let leaf = chain
        .first()
        .ok_or_else(|| "the chain is empty".to_owned())?;
    let request = stage.cross_sign_request(leaf, DAY)?;
    stage.refused(rooted.provider.cross_sign(&request).await)
}

async fn garbage<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let html = CertificateDer::from(b"<html>502 Bad Gateway</html>".to_vec());
    let request = stage.cross_sign_request(&html, DAY)?;
    stage.refused(rooted.provider.cross_sign(&request).await)
}
