//! The calls into a plugin.

use std::sync::Arc;

use chancery_core::Timestamp;
use rustls_pki_types::CertificateDer;

use super::answer::{About, Intermediate, refusal};
use super::request::{self, Configuration};
use super::{Call, answer};
use crate::{
    AcceptIntermediateRequest, Capabilities, CleanUpRequest, CrossSignRequest, Finding,
    IntermediateRequest, LeafRequest, RootRequest, SignIntermediateRequest,
};

/// Leaf and links, and the key that signed the leaf if the host did it in this call.
pub(crate) type Leaf = (Vec<CertificateDer<'static>>, Option<Vec<u8>>);

pub(crate) fn describe() -> Call<About> {
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let said = provider.call_describe(&mut it.store).await?;
            Ok(answer::about(said))
        })
    })
}

/// The first configuration of an instance, for what it says it can do.
pub(crate) fn configure(configuration: Arc<Configuration>) -> Call<Capabilities> {
    Box::new(|it| Box::pin(async move { it.configure(&configuration).await }))
}

pub(crate) fn check() -> Call<()> {
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_check(&mut it.store).await?;
            Ok(answer.map_err(refusal))
        })
    })
}

/// No call at all: the instance is made ready for one.
pub(crate) fn nothing() -> Call<()> {
    Box::new(|_| Box::pin(async { Ok(Ok(())) }))
}

pub(crate) fn root(request: &RootRequest) -> Call<CertificateDer<'static>> {
    let request = request::root(request);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_root(&mut it.store, &request).await?;
            Ok(answer.map_err(refusal).and_then(answer::certificate))
        })
    })
}

pub(crate) fn intermediate(request: &IntermediateRequest) -> Call<Intermediate> {
    let request = request::intermediate(request);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_intermediate(&mut it.store, &request).await?;
            Ok(answer.map_err(refusal).and_then(answer::intermediate))
        })
    })
}

pub(crate) fn accept_intermediate(request: &AcceptIntermediateRequest) -> Call<()> {
    let chain = request::certificates(&request.chain);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_accept_intermediate(&mut it.store, &chain);
            Ok(answer.await?.map_err(refusal))
        })
    })
}

pub(crate) fn sign_leaf(request: &LeafRequest) -> Call<Leaf> {
    let request = request::leaf(request);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_sign_leaf(&mut it.store, &request).await?;
            let answer = answer.map_err(refusal).and_then(answer::chain);
            Ok(answer.map(|chain| {
                let signatures = &it.store.data().signatures;
                let key = chain.first().and_then(|leaf| signatures.key_of(leaf));
                (chain, key)
            }))
        })
    })
}

pub(crate) fn sign_intermediate(
    request: &SignIntermediateRequest,
) -> Call<CertificateDer<'static>> {
    let request = request::sign_intermediate(request);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_sign_intermediate(&mut it.store, &request);
            Ok(answer.await?.map_err(refusal).and_then(answer::certificate))
        })
    })
}

pub(crate) fn cross_sign(request: &CrossSignRequest) -> Call<CertificateDer<'static>> {
    let request = request::cross_sign(request);
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_cross_sign(&mut it.store, &request).await?;
            Ok(answer.map_err(refusal).and_then(answer::certificate))
        })
    })
}

pub(crate) fn clean_up(request: &CleanUpRequest) -> Call<()> {
    let scope = request::scope(request.scope);
    let keep = request::certificates(&request.keep);
    Box::new(move |it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_clean_up(&mut it.store, scope, &keep).await?;
            Ok(answer.map_err(refusal))
        })
    })
}

/// What the plugin says of itself, at the moment `now`; nothing if it never does.
pub(crate) fn findings(now: Timestamp) -> Call<Vec<Finding>> {
    Box::new(move |it| {
        Box::pin(async move {
            let Some(findings) = &it.findings else {
                return Ok(Ok(Vec::new()));
            };
            let findings = findings.chancery_ca_findings();
            let said = findings.call_report(&mut it.store).await?;
            Ok(Ok(said
                .into_iter()
                .map(|it| answer::finding(it, now))
                .collect()))
        })
    })
}
