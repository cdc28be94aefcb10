//! Leafs: signed by one issuer, by id, and kept nowhere in Vault.

use chancery_core::Timestamp;
use rustls_pki_types::CertificateDer;

use super::endpoints::SignLeaf;
use super::held::Intermediate;
use super::intermediate::Signed;
use super::mounts::ROLE;
use super::pem;
use super::session::Session;
use crate::{ErrorKind, LeafRequest, ProviderError};

/// Signs what `request` wants.
pub(super) async fn sign(
    session: &Session,
    issuer: &Intermediate,
    request: &LeafRequest,
) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let template = &request.template;
    let end = end_of(issuer, request)?;
    // Consul's name for a service of odd letters only begins with a dot; no role lets that
    // through, and nothing reads it.
    let common_name = Some(template.common_name.clone()).filter(|name| !name.starts_with('.'));
    let authority = &issuer.authority;
    let call = SignLeaf {
        mount: authority.place.mount.clone(),
        issuer: authority.issuer_id.clone(),
        role: ROLE.to_owned(),
        common_name,
        csr: pem::of_request(&request.csr),
        exclude_cn_from_sans: true,
        not_after: end.to_string(),
        uri_sans: vec![template.uri.clone()],
    };
    let signed: Signed = match session.call(&authority.place, call).await {
        Ok(signed) => signed,
        Err(failure) => {
            let missing = failure.says("unknown role") || failure.says("unable to find");
            let error = session.explain(failure).await;
            let kind = if missing {
                ErrorKind::Misconfigured
            } else {
                error.kind()
            };
            // Consul's words.
            return Err(ProviderError::new(
                kind,
                format!("error issuing cert: {error}"),
            ));
        }
    };
    let mut chain = vec![pem::certificate(&signed.certificate)?];
    chain.extend(issuer.chain.iter().cloned());
    Ok(chain)
}

fn end_of(issuer: &Intermediate, request: &LeafRequest) -> Result<Timestamp, ProviderError> {
    let validity = &request.template.validity;
    let last = issuer.issuer.not_after();
    if validity.not_before >= last {
        return Err(ProviderError::refused(format!(
            "the intermediate ends at {last}, before the leaf would begin at {}",
            validity.not_before
        )));
    }
    Ok(validity.not_after.min(last))
}
