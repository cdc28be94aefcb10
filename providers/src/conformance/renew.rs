//! A new root or intermediate where there is one already, and never one too many.

use chancery_core::CheckedIntermediate;
use rustls_pki_types::CertificateDer;

use super::Report;
use super::stage::{Stage, YEAR, ensure, spki, text};
use crate::{CaProvider, IntermediateAnswer};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "renew: makes another root with another key",
        another(stage).await,
    );
    report.record(
        "renew: one operation makes one root, also after a restart",
        once(stage).await,
    );
    report.record(
        "renew: without it the newest root stays",
        stays(stage).await,
    );
    report.record(
        "renew: the operation that made the first root makes no second",
        first(stage).await,
    );
    report.record(
        "renew: goes on after a crash that lost its state",
        crashed(stage).await,
    );
    report.record(
        "renew: the instance before goes on signing",
        before(stage).await,
    );
    report.record(
        "renew: makes another intermediate, or is refused",
        intermediate(stage).await,
    );
    report.record(
        "renew: without it the intermediate stays, or is refused",
        same_intermediate(stage).await,
    );
}

async fn another<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state, 2, true).await?;
    let (old, root) = (old.root.issuer(), new.root.issuer());
    ensure(old.spki_der() != root.spki_der(), || {
        "it has the same key".to_owned()
    })?;
    ensure(old.subject_key_id() != root.subject_key_id(), || {
        "it has the same key identifier".to_owned()
    })?;
    stage.verified(&new, &[], &[]).await
}

async fn once<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state, 2, true).await?;
    let mut request = stage.root_request(2, 10 * YEAR)?;
    request.renew = true;
    let again = stage.done("root", new.provider.root(&request).await)?;
    let restarted = stage.successor(new.answer.state, 2, true).await?;
    for certificate in [again.certificate, restarted.answer.certificate] {
        ensure(certificate == new.answer.certificate, || {
            "the same operation made a second root".to_owned()
        })?;
    }
    Ok(())
}

async fn stays<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state, 2, true).await?;
    let mut state = new.answer.state;
    for operation in [2, 3] {
        let next = stage.successor(state, operation, false).await?;
        ensure(next.answer.certificate == new.answer.certificate, || {
            "another root was made or came back".to_owned()
        })?;
        stage.verified(&next, &[], &[]).await?;
        state = next.answer.state;
    }
    Ok(())
}

async fn first<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state, 1, true).await?;
    ensure(new.answer.certificate == old.answer.certificate, || {
        "another root was made".to_owned()
    })
}

/// Whether what was made before the crash is found again is the provider's affair: nobody saw
/// it. That it is no root from before is not.
async fn crashed<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let lost = stage.successor(old.answer.state.clone(), 2, true).await?;
    drop(lost);
    let found = stage.successor(old.answer.state, 2, true).await?;
    ensure(found.answer.certificate != old.answer.certificate, || {
        "the old root came back".to_owned()
    })?;
    stage.verified(&found, &[], &[]).await
}

async fn before<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let old = stage.rooted().await?;
    let new = stage.successor(old.answer.state.clone(), 2, true).await?;
    stage.verified(&old, &[], &[]).await?;
    stage.verified(&new, &[], &[]).await
}

/// What a provider answers to a wish for an intermediate: the key of its CSR, or its chain.
#[derive(PartialEq)]
enum Answer {
    Csr(Vec<u8>),
    Ready(Vec<CertificateDer<'static>>),
}

impl Answer {
    /// The key, of a CSR or of an intermediate that signs.
    fn key(&self) -> Result<Vec<u8>, String> {
        match self {
            Self::Csr(key) => Ok(key.clone()),
            Self::Ready(chain) => {
                let first = chain.first().ok_or("the chain is empty")?;
                let read = CheckedIntermediate::restore(first).map_err(text)?;
                Ok(read.issuer().spki_der().to_vec())
            }
        }
    }
}

/// `None` if the provider claims no intermediates and refuses.
async fn ask<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    provider: &P,
    operation: u8,
    renew: bool,
) -> Result<Option<Answer>, String> {
    let mut request = stage.intermediate_request(operation)?;
    request.renew = renew;
    let answer = provider.intermediate(&request).await;
    let capabilities = provider.describe().capabilities;
    if !capabilities.own_intermediate && !capabilities.external_intermediate {
        stage.refused(answer)?;
        return Ok(None);
    }
    match stage.done("intermediate", answer)? {
        IntermediateAnswer::Csr { csr, .. } => Ok(Some(Answer::Csr(spki(&csr)?))),
        IntermediateAnswer::Ready { chain, .. } => Ok(Some(Answer::Ready(chain))),
    }
}

async fn intermediate<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let Some(old) = ask(stage, &rooted.provider, 5, false).await? else {
        return Ok(());
    };
    for _ in 0..2 {
        let new = ask(stage, &rooted.provider, 6, true).await?;
        let new = new.ok_or("it was refused the second time")?;
        ensure(new.key()? != old.key()?, || {
            "it has the same key".to_owned()
        })?;
        let again = ask(stage, &rooted.provider, 6, true).await?;
        ensure(again == Some(new), || {
            "the same operation made a third".to_owned()
        })?;
        stage.verified(&rooted, &[], &[]).await?;
    }
    Ok(())
}

async fn same_intermediate<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let Some(old) = ask(stage, &rooted.provider, 5, false).await? else {
        return Ok(());
    };
    let Answer::Ready(_) = &old else {
        // Nothing signs yet: another wish is another CSR.
        return Ok(());
    };
    for operation in [5, 6] {
        let again = ask(stage, &rooted.provider, operation, false).await?;
        ensure(again.as_ref() == Some(&old), || {
            "another one was made".to_owned()
        })?;
    }
    let restarted = stage.successor(rooted.answer.state, 1, false).await?;
    let again = ask(stage, &restarted.provider, 7, false).await?;
    ensure(again == Some(old), || {
        "after a restart another one was made".to_owned()
    })
}
