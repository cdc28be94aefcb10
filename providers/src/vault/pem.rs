//! DER for us, PEM for Vault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_core::{certificates_from_pem, certificates_to_pem};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use crate::ProviderError;

/// The one certificate in `pem`.
pub(super) fn certificate(pem: &str) -> Result<CertificateDer<'static>, ProviderError> {
    let mut found = certificates(pem)?;
    match (found.pop(), found.is_empty()) {
        (Some(certificate), true) => Ok(certificate),
        _ => Err(ProviderError::broken(
            "Vault answered with no certificate, or with several where there must be one",
        )),
    }
}

/// All certificates in `pem`, at least one.
pub(super) fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let found = certificates_from_pem(pem.as_bytes()).map_err(ProviderError::violating)?;
    Ok(found.into_iter().map(CertificateDer::from).collect())
}

/// The first certificate signing request in `pem`.
pub(super) fn request(pem: &str) -> Result<CertificateSigningRequestDer<'static>, ProviderError> {
    CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
        .map_err(|_error| ProviderError::broken("Vault answered with no request in PEM"))
}

pub(super) fn of_certificate(der: &[u8]) -> String {
    certificates_to_pem([der])
}

pub(super) fn of_request(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE REQUEST-----\n");
    for (position, letter) in text.chars().enumerate() {
        if position > 0 && position % 64 == 0 {
            pem.push('\n');
        }
        pem.push(letter);
    }
    pem.push_str("\n-----END CERTIFICATE REQUEST-----\n");
    pem
}
