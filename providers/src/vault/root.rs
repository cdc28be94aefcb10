//! The root: one that is there, or one that is made in Vault and never leaves it.

use chancery_core::{CertificateSummary, Issuer, KeyKind, OperationId, Timestamp};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use super::endpoints::GenerateRoot;
use super::held::{Authority, Root};
use super::issuers;
use super::pem;
use super::session::Session;
use crate::{KeySpec, ProviderError, RootRequest, RootTemplate};

#[derive(Default, Deserialize)]
struct Generated {
    #[serde(default)]
    certificate: String,
    #[serde(default)]
    issuer_id: String,
    #[serde(default)]
    key_id: String,
}

/// Finds or makes the root that `request` wants; the state holds none that would do.
pub(super) async fn obtain(
    session: &Session,
    request: &RootRequest,
) -> Result<Root, ProviderError> {
    if let Some(root) = made_for(session, request.operation).await? {
        return Ok(root);
    }
    if !request.renew
        && let Some(root) = found(session, &request.template).await?
    {
        return Ok(root);
    }
    generate(session, request).await
}

/// The root that an earlier run has made for this very operation, and did not live to tell.
async fn made_for(
    session: &Session,
    operation: OperationId,
) -> Result<Option<Root>, ProviderError> {
    let place = &session.root;
    let name = issuers::name_of(operation);
    let Some(key_id) = issuers::key_called(session, place, &name).await? else {
        return Ok(None);
    };
    let listed = issuers::listed(session, place).await?;
    let Some(issuer) = listed.into_iter().find(|issuer| issuer.key_id == key_id) else {
        return Ok(None);
    };
    let authority = (issuer.issuer_id, key_id, Some(operation));
    let Some(chain) = issuers::read(session, place, &authority.0).await? else {
        return Ok(None);
    };
    root_of(session, authority, &chain).map(Some)
}

/// The root that the mount holds already: pinned by its id from now on.
async fn found(session: &Session, template: &RootTemplate) -> Result<Option<Root>, ProviderError> {
    let place = &session.root;
    let listed = issuers::listed(session, place).await?;
    let mut signers = listed;
    signers.retain(|issuer| !issuer.key_id.is_empty());
    // Only to choose one of several; what happens to be the default later does not count.
    if signers.len() > 1 {
        let id = issuers::default(session, place).await?;
        signers.retain(|issuer| Some(&issuer.issuer_id) == id.as_ref());
    }
    let chosen = signers.pop();
    let Some(chosen) = chosen else {
        return Ok(None);
    };
    let Some(chain) = issuers::read(session, place, &chosen.issuer_id).await? else {
        return Ok(None);
    };
    let names = issuers::keys(session, place).await?;
    let operation = names
        .iter()
        .find(|(id, _)| *id == chosen.key_id)
        .and_then(|(_, name)| issuers::operation_of(name));
    let authority = (chosen.issuer_id.clone(), chosen.key_id.clone(), operation);
    let root = root_of(session, authority, &chain)?;
    // An administrator's root is what it is; ours is made anew if another key is wanted.
    if operation.is_some() && *root.issuer.key() != KeyKind::from(template.key) {
        return Ok(None);
    }
    refuse_foreign(&root, template)?;
    Ok(Some(root))
}

fn root_of(
    session: &Session,
    (issuer_id, key_id, operation): (String, String, Option<OperationId>),
    chain: &[CertificateDer<'static>],
) -> Result<Root, ProviderError> {
    let Some((certificate, above)) = chain.split_first() else {
        return Err(ProviderError::broken("Vault answered with an empty chain"));
    };
    let signer = Authority {
        place: session.root.clone(),
        issuer_id,
        key_id,
        operation,
        certificate: certificate.clone(),
    };
    let summary = CertificateSummary::inspect(certificate).map_err(ProviderError::violating)?;
    if summary.issuer != summary.subject && above.is_empty() {
        return Err(ProviderError::misconfigured(format!(
            "the issuer in {}/ is an intermediate and its root is not there: import the \
             certificates above it into the mount",
            session.root.mount
        )));
    }
    Root::new(signer, above)
}

/// A root that says for whom it is must say us.
fn refuse_foreign(root: &Root, template: &RootTemplate) -> Result<(), ProviderError> {
    let summary =
        CertificateSummary::inspect(&root.certificate).map_err(ProviderError::violating)?;
    let foreign = summary
        .uris
        .iter()
        .find(|uri| uri.starts_with("spiffe://") && **uri != template.uri);
    match foreign {
        None => Ok(()),
        Some(uri) => Err(ProviderError::misconfigured(format!(
            "the root in {}/ is of {uri}, ours is {}",
            root.signer.place.mount, template.uri
        ))),
    }
}

async fn generate(session: &Session, request: &RootRequest) -> Result<Root, ProviderError> {
    let template = &request.template;
    let (key_type, key_bits) = key_parameters(template.key);
    let name = issuers::name_of(request.operation);
    let call = GenerateRoot {
        mount: session.root.mount.clone(),
        common_name: template.common_name.clone(),
        exclude_cn_from_sans: true,
        issuer_name: name.clone(),
        key_bits,
        key_name: name,
        key_type: key_type.to_owned(),
        not_after: template.validity.not_after.to_string(),
        not_before_duration: format!("{CA_BACKDATED}s"),
        uri_sans: vec![template.uri.clone()],
    };
    let made: Generated = match session.call(&session.root, call).await {
        Ok(made) => made,
        Err(failure) => return Err(session.explain(failure).await),
    };
    let certificate = pem::certificate(&made.certificate)?;
    let authority = (made.issuer_id, made.key_id, Some(request.operation));
    root_of(session, authority, &[certificate])
}

/// Vault's words for a kind of key.
pub(super) const fn key_parameters(key: KeySpec) -> (&'static str, u32) {
    match key {
        KeySpec::EcP256 => ("ec", 256),
        KeySpec::EcP384 => ("ec", 384),
        KeySpec::EcP521 => ("ec", 521),
        KeySpec::Ed25519 => ("ed25519", 0),
        KeySpec::Rsa2048 => ("rsa", 2048),
        KeySpec::Rsa4096 => ("rsa", 4096),
    }
}

/// How far back Vault dates a CA under `issuer` that is wanted from `wanted` on, which is
/// [`CA_BACKDATED`] ago: no further than since the issuer began, which an administrator may have
/// made a moment ago.
pub(super) fn backdated(wanted: Timestamp, issuer: &Issuer) -> String {
    let too_early = issuer.not_before().saturating_since(wanted).as_secs();
    // Vault takes zero for its default.
    let seconds = CA_BACKDATED.saturating_sub(too_early).max(1);
    format!("{seconds}s")
}

/// In seconds; more than leafs are, so that none is older than its issuer.
const CA_BACKDATED: u64 = 60;
