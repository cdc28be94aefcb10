//! Leaving nothing behind but what somebody still needs.

use rustls_pki_types::CertificateDer;
use serde::de::IgnoredAny;
use vaultrs::api::pki::requests::{DeleteIssuerRequest, DeleteKeyRequest};
use vaultrs::api::sys::requests::DisableEngineRequest;

use super::failure::Failure;
use super::held::{Authority, Held};
use super::issuers;
use super::options::Place;
use super::session::Session;
use crate::{CleanUpRequest, CleanUpScope, ProviderError};

/// Removes what `held` holds and has made, as far as the request goes.
pub(super) async fn clean_up(
    session: &Session,
    held: &Held,
    request: &CleanUpRequest,
) -> Result<(), ProviderError> {
    let everything = request.scope == CleanUpScope::Everything;
    if let Some(intermediate) = &held.intermediate {
        remove(session, &intermediate.authority, &request.keep).await?;
    }
    if let Some(root) = held.root.as_ref().filter(|_| everything) {
        remove(session, &root.signer, &request.keep).await?;
    }
    for place in &held.made {
        if everything || *place == session.intermediate {
            unmount(session, place, &request.keep).await?;
        }
    }
    Ok(())
}

/// Deletes an issuer that we have made, and its key, unless its certificate is to be kept.
async fn remove(
    session: &Session,
    authority: &Authority,
    keep: &[CertificateDer<'static>],
) -> Result<(), ProviderError> {
    let place = &authority.place;
    if keep.contains(&authority.certificate) {
        return Ok(());
    }
    let Some(key_name) = name_of_key(session, authority).await? else {
        return Ok(());
    };
    if issuers::operation_of(&key_name).is_none() {
        return Ok(());
    }
    let call = DeleteIssuerRequest {
        mount: place.mount.clone(),
        issuer: authority.issuer_id.clone(),
    };
    settle(session, session.call::<IgnoredAny>(place, call).await).await?;
    // Another issuer may have the same key, as a renewed one does.
    let listed = issuers::listed(session, place).await?;
    if listed.iter().any(|other| other.key_id == authority.key_id) {
        return Ok(());
    }
    let call = DeleteKeyRequest {
        mount: place.mount.clone(),
        key: authority.key_id.clone(),
    };
    settle(session, session.call::<IgnoredAny>(place, call).await).await
}

/// `None` if the key is gone, and perhaps the mount with it.
async fn name_of_key(
    session: &Session,
    authority: &Authority,
) -> Result<Option<String>, ProviderError> {
    match issuers::list(session, &authority.place).await {
        Ok(None) => return Ok(None),
        Ok(Some(_)) => {}
        Err(failure) => return Err(session.explain(failure).await),
    }
    let keys = issuers::keys(session, &authority.place).await?;
    Ok(keys
        .into_iter()
        .find(|(id, _)| *id == authority.key_id)
        .map(|(_, name)| name))
}

/// Removes a mount that we have made, if nothing in it can sign any more. Who else signs there
/// is an incarnation of us that began after this one, whose issuer nobody has committed yet.
async fn unmount(
    session: &Session,
    place: &Place,
    keep: &[CertificateDer<'static>],
) -> Result<(), ProviderError> {
    let listed = match issuers::list(session, place).await {
        Ok(None) => return Ok(()),
        Ok(Some(listed)) => listed,
        Err(failure) => return Err(session.explain(failure).await),
    };
    for issuer in listed {
        let chain = issuers::read(session, place, &issuer.issuer_id).await?;
        let chain = chain.unwrap_or_default();
        let kept = chain
            .first()
            .is_some_and(|certificate| keep.contains(certificate));
        if kept || !issuer.key_id.is_empty() {
            return Ok(());
        }
    }
    let call = DisableEngineRequest {
        path: place.mount.clone(),
    };
    settle(session, session.call::<IgnoredAny>(place, call).await).await
}

/// What is gone already needs no deleting.
async fn settle(
    session: &Session,
    answer: Result<IgnoredAny, Failure>,
) -> Result<(), ProviderError> {
    match answer {
        Ok(_) => Ok(()),
        Err(failure) if failure.is_absent() || failure.says("unable to find") => Ok(()),
        Err(failure) => Err(session.explain(failure).await),
    }
}
