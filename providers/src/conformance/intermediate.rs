//! Intermediates: signed for others, made for oneself, or taken from another CA.

use chancery_core::{
    CaPolicy, CheckedIntermediate, IntermediateExpectation, Issuer, SignatureCheck,
};
use rcgen::CertificateParams;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::Report;
use super::stage::{HOUR, Rooted, Stage, YEAR, ensure, key_pair, spki, text};
use crate::{
    AcceptIntermediateRequest, CaProvider, IntermediateAnswer, KeySpec, SignIntermediateRequest,
};

pub(super) async fn check<P: CaProvider + 'static>(stage: &Stage<'_, P>, report: &mut Report) {
    report.record(
        "sign intermediate: breaks no rule, or is refused",
        signs(stage).await,
    );
    report.record(
        "sign intermediate: does not outlive the root",
        cut(stage).await,
    );
    report.record(
        "intermediate: is of a kind that was claimed",
        kind(stage).await,
    );
    report.record(
        "intermediate: one operation makes one key",
        one_key(stage).await,
    );
    report.record(
        "intermediate: a CSR waits through a restart",
        waits(stage).await,
    );
    report.record(
        "intermediate: signs leafs once accepted",
        accepted(stage).await,
    );
    report.record(
        "intermediate: accepted, it outlives a restart",
        kept(stage).await,
    );
    report.record(
        "intermediate: may be accepted twice",
        accepted_twice(stage).await,
    );
    report.record(
        "intermediate: of another key is refused",
        other_key(stage).await,
    );
    report.record(
        "intermediate: that nobody asked for is refused",
        unasked(stage).await,
    );
}

/// Somebody else's CSR, signed by `rooted`.
async fn sign<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    rooted: &Rooted<P>,
    request: &SignIntermediateRequest,
) -> Result<(CertificateDer<'static>, Issuer), String> {
    let answer = rooted.provider.sign_intermediate(request).await;
    let signed = stage.done("sign intermediate", answer)?;
    let policy = CaPolicy::last_intermediate();
    let expected = IntermediateExpectation {
        spki_der: &request.public_key,
        issuer: rooted.root.issuer(),
        not_after: request.template.validity.not_after,
        policy: &policy,
        signature: SignatureCheck::Verify,
    };
    let (algorithms, now) = (stage.setup.algorithms, stage.now());
    let checked = CheckedIntermediate::check(&signed, &expected, algorithms, now).map_err(text)?;
    Ok((signed, checked.issuer().clone()))
}

fn foreign_csr() -> Result<CertificateSigningRequestDer<'static>, String> {
    let key = key_pair(KeySpec::EcP256)?;
    let csr = CertificateParams::default().serialize_request(&key);
    csr.map(|csr| csr.der().clone()).map_err(text)
}

async fn signs<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = stage.sign_intermediate_request(foreign_csr()?, YEAR)?;
    if !rooted.provider.describe().capabilities.sign_intermediate {
        return stage.refused(rooted.provider.sign_intermediate(&request).await);
    }
    sign(stage, &rooted, &request).await.map(drop)
}

async fn cut<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted_for(2 * HOUR).await?;
    let request = stage.sign_intermediate_request(foreign_csr()?, YEAR)?;
    if !rooted.provider.describe().capabilities.sign_intermediate {
        return stage.refused(rooted.provider.sign_intermediate(&request).await);
    }
    sign(stage, &rooted, &request).await.map(drop)
}

async fn kind<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let capabilities = rooted.provider.describe().capabilities;
    let request = stage.intermediate_request(5)?;
    let answer = rooted.provider.intermediate(&request).await;
    if !capabilities.own_intermediate && !capabilities.external_intermediate {
        return stage.refused(answer);
    }
    match stage.done("intermediate", answer)? {
        IntermediateAnswer::Csr { .. } => ensure(capabilities.external_intermediate, || {
            "a CSR, but external intermediates are not claimed".to_owned()
        }),
        IntermediateAnswer::Ready { .. } => ensure(capabilities.own_intermediate, || {
            "an intermediate, but own ones are not claimed".to_owned()
        }),
    }
}

/// A provider's CSR; `None` if it claims not to make any, and refuses or makes its own.
async fn csr<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    provider: &P,
    operation: u8,
) -> Result<Option<CertificateSigningRequestDer<'static>>, String> {
    let request = stage.intermediate_request(operation)?;
    let answer = provider.intermediate(&request).await;
    let capabilities = provider.describe().capabilities;
    if capabilities.external_intermediate {
        return match stage.done("intermediate", answer)? {
            IntermediateAnswer::Csr { csr, .. } => Ok(Some(csr)),
            IntermediateAnswer::Ready { .. } => Err("it is ready, must be a CSR".to_owned()),
        };
    }
    if !capabilities.own_intermediate {
        stage.refused(answer)?;
    }
    Ok(None)
}

async fn one_key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    let Some(first) = csr(stage, &provider, 5).await? else {
        return Ok(());
    };
    let again = csr(stage, &provider, 5)
        .await?
        .unwrap_or_else(|| first.clone());
    ensure(spki(&first)? == spki(&again)?, || {
        "the same operation made a second key".to_owned()
    })?;
    let other = csr(stage, &provider, 6)
        .await?
        .unwrap_or_else(|| first.clone());
    ensure(spki(&first)? != spki(&other)?, || {
        "another operation made no new key".to_owned()
    })
}

async fn waits<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let provider = stage.configured(None).await?;
    if csr(stage, &provider, 5).await?.is_none() {
        return Ok(());
    }
    let request = stage.intermediate_request(5)?;
    let answer = stage.done("intermediate", provider.intermediate(&request).await)?;
    let IntermediateAnswer::Csr { csr: first, state } = answer else {
        return Err("it is ready, must be a CSR".to_owned());
    };
    let restarted = stage.configured(Some(state)).await?;
    let again = csr(stage, &restarted, 5).await?;
    ensure(again.as_ref() == Some(&first), || {
        "after a restart it is another CSR".to_owned()
    })
}

/// A second provider of the kind under an intermediate that the first signed.
///
/// `None` if the provider cannot do that, and says so when asked.
struct Secondary<P> {
    provider: P,
    issuer: Issuer,
    chain: AcceptIntermediateRequest,
    state: chancery_core::Secret,
}

async fn secondary<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
) -> Result<Option<Secondary<P>>, String> {
    let primary = stage.rooted().await?;
    let provider = stage.configured(None).await?;
    let Some(csr) = csr(stage, &provider, 5).await? else {
        return Ok(None);
    };
    let request = stage.sign_intermediate_request(csr, YEAR)?;
    if !primary.provider.describe().capabilities.sign_intermediate {
        stage.refused(primary.provider.sign_intermediate(&request).await)?;
        return Ok(None);
    }
    let (signed, issuer) = sign(stage, &primary, &request).await?;
    let chain = AcceptIntermediateRequest {
        chain: vec![signed, primary.answer.certificate],
    };
    let state = provider.accept_intermediate(&chain).await;
    let state = stage.done("accept intermediate", state)?;
    Ok(Some(Secondary {
        provider,
        issuer,
        chain,
        state,
    }))
}

async fn leaf_under<P: CaProvider + 'static>(
    stage: &Stage<'_, P>,
    provider: &P,
    issuer: &Issuer,
) -> Result<(), String> {
    let request = stage.leaf_request(KeySpec::EcP256)?;
    let chain = stage.done("sign leaf", provider.sign_leaf(&request).await)?;
    stage.checked_leaf(&request, &chain, issuer)?;
    let second = chain.get(1).map(AsRef::as_ref);
    ensure(second == Some(issuer.der()) && chain.len() == 2, || {
        "the chain is not the leaf and its intermediate".to_owned()
    })
}

async fn accepted<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    match secondary(stage).await? {
        Some(made) => leaf_under(stage, &made.provider, &made.issuer).await,
        None => Ok(()),
    }
}

async fn kept<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    match secondary(stage).await? {
        Some(made) => {
            let restarted = stage.configured(Some(made.state)).await?;
            leaf_under(stage, &restarted, &made.issuer).await
        }
        None => Ok(()),
    }
}

async fn accepted_twice<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    match secondary(stage).await? {
        Some(made) => {
            let again = made.provider.accept_intermediate(&made.chain).await;
            stage.done("accept intermediate", again)?;
            leaf_under(stage, &made.provider, &made.issuer).await
        }
        None => Ok(()),
    }
}

async fn other_key<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let Some(made) = secondary(stage).await? else {
        return Ok(());
    };
    let victim = stage.configured(None).await?;
    csr(stage, &victim, 7).await?;
    stage.refused(victim.accept_intermediate(&made.chain).await)
}

async fn unasked<P: CaProvider + 'static>(stage: &Stage<'_, P>) -> Result<(), String> {
    let rooted = stage.rooted().await?;
    let request = AcceptIntermediateRequest {
        chain: vec![rooted.answer.certificate],
    };
    stage.refused(rooted.provider.accept_intermediate(&request).await)
}
