//! The intermediate that signs leafs: its key is made in one mount and signed in the other.

use chancery_core::{CertificateSummary, KeyKind};
use serde::Deserialize;
use std::collections::BTreeMap;
use vaultrs::api::pki::requests::{GenerateIntermediateCSRRequest, SetSignedIntermediateRequest};

use super::endpoints::SignIntermediate;
use super::held::{Authority, Intermediate, Root};
use super::issuers::{self, Listed};
use super::pem;
use super::root::{backdated, key_parameters};
use super::session::Session;
use crate::{IntermediateRequest, IntermediateTemplate, ProviderError};

#[derive(Default, Deserialize)]
pub(super) struct Requested {
    #[serde(default)]
    pub(super) csr: String,
}

#[derive(Default, Deserialize)]
pub(super) struct Signed {
    #[serde(default)]
    pub(super) certificate: String,
}

#[derive(Default, Deserialize)]
struct Imported {
    /// From an issuer's id to that of its key.
    #[serde(default)]
    mapping: Option<BTreeMap<String, String>>,
}

/// Finds or makes the intermediate that `request` wants; the state holds none that would do.
pub(super) async fn obtain(
    session: &Session,
    root: &Root,
    request: &IntermediateRequest,
) -> Result<Intermediate, ProviderError> {
    let place = &session.intermediate;
    let listed = issuers::listed(session, place).await?;
    let keys = issuers::keys(session, place).await?;
    let name = issuers::name_of(request.operation);
    let made_for_this = keys.iter().find(|(_, key_name)| *key_name == name);
    if let Some((key_id, _)) = made_for_this
        && let Some(found) = usable(session, root, request, &listed, (key_id, &name)).await?
    {
        return Ok(found);
    }
    if !request.renew {
        for (key_id, name) in &keys {
            if let Some(found) = usable(session, root, request, &listed, (key_id, name)).await? {
                return Ok(found);
            }
        }
    }
    make(session, root, request, made_for_this.is_some()).await
}

/// The intermediate with that key, if we have made it under `root` and it is what `request`
/// wants.
async fn usable(
    session: &Session,
    root: &Root,
    request: &IntermediateRequest,
    listed: &[Listed],
    (key_id, key_name): (&str, &str),
) -> Result<Option<Intermediate>, ProviderError> {
    let Some(operation) = issuers::operation_of(key_name) else {
        return Ok(None);
    };
    for issuer in listed.iter().filter(|issuer| issuer.key_id == key_id) {
        let id = &issuer.issuer_id;
        let Some(chain) = issuers::read(session, &session.intermediate, id).await? else {
            continue;
        };
        let Some(certificate) = chain.first() else {
            continue;
        };
        let Ok(summary) = CertificateSummary::inspect(certificate) else {
            continue;
        };
        let under_root = summary.issuer == root.issuer.subject()
            && summary.authority_key_id.as_ref() == Some(root.issuer.subject_key_id());
        let for_us = summary.uris == [request.template.uri.clone()];
        // Half of its life must be left, or it would be renewed at once.
        let life = summary.not_after.saturating_since(summary.not_before);
        let fresh = summary
            .not_after
            .saturating_since(request.template.validity.not_before)
            > life / 2;
        let fits = summary.key == KeyKind::from(request.key);
        if under_root && for_us && fresh && fits {
            let authority = Authority {
                place: session.intermediate.clone(),
                issuer_id: id.clone(),
                key_id: key_id.to_owned(),
                operation: Some(operation),
                certificate: certificate.clone(),
            };
            return Intermediate::new(authority, root).map(Some);
        }
    }
    Ok(None)
}

async fn make(
    session: &Session,
    root: &Root,
    request: &IntermediateRequest,
    key_exists: bool,
) -> Result<Intermediate, ProviderError> {
    let csr = key_request(session, request, key_exists).await?;
    let certificate = sign(session, root, &csr, &request.template).await?;
    let call = SetSignedIntermediateRequest {
        mount: session.intermediate.mount.clone(),
        certificate: pem::of_certificate(&certificate),
    };
    let imported: Imported = match session.call(&session.intermediate, call).await {
        Ok(imported) => imported,
        Err(failure) => return Err(session.explain(failure).await),
    };
    // By id from the first moment on: a new intermediate does not become the default.
    let mapping = imported.mapping.unwrap_or_default();
    let issuer = mapping.into_iter().find(|(_, key_id)| !key_id.is_empty());
    let (issuer_id, key_id) = issuer.ok_or_else(|| {
        ProviderError::broken("Vault took the intermediate but does not say as which issuer")
    })?;
    let authority = Authority {
        place: session.intermediate.clone(),
        issuer_id,
        key_id,
        operation: Some(request.operation),
        certificate,
    };
    Intermediate::new(authority, root)
}

/// Makes the key, or takes the one that was made for this operation before, and asks for a
/// certificate for it.
async fn key_request(
    session: &Session,
    request: &IntermediateRequest,
    key_exists: bool,
) -> Result<String, ProviderError> {
    let name = issuers::name_of(request.operation);
    let (key_type, key_bits) = key_parameters(request.key);
    let mut call = GenerateIntermediateCSRRequest {
        mount: session.intermediate.mount.clone(),
        common_name: Some(request.template.common_name.clone()),
        exclude_cn_from_sans: Some(true),
        uri_sans: Some(request.template.uri.clone()),
        ..GenerateIntermediateCSRRequest::default()
    };
    if key_exists {
        call.request_type = "existing".to_owned();
        call.key_ref = Some(name);
    } else {
        call.request_type = "internal".to_owned();
        call.key_name = Some(name);
        call.key_type = Some(key_type.to_owned());
        call.key_bits = Some(u64::from(key_bits));
    }
    match session.call::<Requested>(&session.intermediate, call).await {
        Ok(requested) => Ok(requested.csr),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// Lets the root sign what `template` says for the key of `csr`.
pub(super) async fn sign(
    session: &Session,
    root: &Root,
    csr: &str,
    template: &IntermediateTemplate,
) -> Result<rustls_pki_types::CertificateDer<'static>, ProviderError> {
    let end = template.validity.not_after.min(root.issuer.not_after());
    let call = SignIntermediate {
        mount: root.signer.place.mount.clone(),
        issuer: root.signer.issuer_id.clone(),
        common_name: template.common_name.clone(),
        csr: csr.to_owned(),
        exclude_cn_from_sans: true,
        max_path_length: i32::from(template.path_length),
        not_after: end.to_string(),
        not_before_duration: backdated(template.validity.not_before, &root.issuer),
        uri_sans: vec![template.uri.clone()],
    };
    match session.call::<Signed>(&root.signer.place, call).await {
        Ok(signed) => pem::certificate(&signed.certificate),
        Err(failure) => Err(session.explain(failure).await),
    }
}
