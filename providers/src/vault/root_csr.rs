//! A request for a certificate of a root whose key is in Vault.

use chancery_core::CertificateSummary;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::der;
use super::endpoints::RequestForKey;
use super::held::Root;
use super::intermediate::Requested;
use super::options::Place;
use super::pem;
use super::session::Session;
use crate::ProviderError;

/// The request for `root`; `None` if the token may not ask for it, or if Vault would write
/// another name into it.
pub(super) async fn of_root(
    session: &Session,
    root: &Root,
) -> Result<Option<CertificateSigningRequestDer<'static>>, ProviderError> {
    let signer = &root.signer;
    let key_id = signer.key_id.clone();
    let csr = of_key(session, &signer.place, &root.certificate, key_id).await?;
    let Some(csr) = csr else {
        return Ok(None);
    };
    let csr = pem::request(&csr)?;
    let same = names(&csr) == Some((root.issuer.subject_der(), root.issuer.spki_der()));
    Ok(same.then_some(csr))
}

/// A CSR in PEM, signed by a key in `place`, that says what `certificate` says as far as Vault
/// can be told; `None` if the token lacks the right, which an administrator's may.
pub(super) async fn of_key(
    session: &Session,
    place: &Place,
    certificate: &CertificateDer<'static>,
    key_id: String,
) -> Result<Option<String>, ProviderError> {
    let summary = CertificateSummary::inspect(certificate).map_err(ProviderError::violating)?;
    let Some(common_name) = summary.subject.strip_prefix("CN=") else {
        return Ok(None);
    };
    let call = RequestForKey {
        mount: place.mount.clone(),
        common_name: common_name.to_owned(),
        exclude_cn_from_sans: true,
        key_ref: key_id,
        uri_sans: summary.uris,
    };
    match session.call::<Requested>(place, call).await {
        Ok(requested) => Ok(Some(requested.csr)),
        Err(failure) if failure.is_forbidden() => Ok(None),
        Err(failure) => Err(session.explain(failure).await),
    }
}

/// Subject and public key of a CSR, as they stand in it (RFC 2986 §4.1).
fn names(csr: &[u8]) -> Option<(&[u8], &[u8])> {
    let (outer, _) = der::split(csr)?;
    let (signed_part, _) = der::split(outer.content)?;
    match der::elements(signed_part.content)?.as_slice() {
        [_version, subject, key, ..] => Some((subject.whole, key.whole)),
        _ => None,
    }
}
