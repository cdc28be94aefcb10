//! A CA certificate together with its key: what signs.

use chancery_core::Timestamp;
use rcgen::{CertificateParams, PublicKeyData};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::keys::CaKey;
use super::sign;
use crate::{ProviderError, Validity};

/// Signs under one certificate. Shared by all signing tasks.
pub(super) struct Issuer {
    inner: rcgen::Issuer<'static, CaKey>,
    certificate: CertificateDer<'static>,
    validity: Validity,
    self_signed: bool,
}

impl Issuer {
    /// Joins a certificate and its key.
    ///
    /// Refused if they do not belong together, if the certificate is no CA, or if certificates
    /// issued here would name their issuer in other bytes than `certificate` names itself.
    pub(super) fn new(
        certificate: CertificateDer<'static>,
        key: CaKey,
    ) -> Result<Self, ProviderError> {
        let (subject, validity, self_signed) = {
            let parsed = parse(&certificate)?;
            if parsed.public_key().raw != key.subject_public_key_info() {
                return Err(ProviderError::refused(
                    "the certificate is for another key than the one held",
                ));
            }
            if !parsed.is_ca() {
                return Err(ProviderError::refused("the certificate is no CA"));
            }
            super::name::read(parsed.subject())?;
            (
                parsed.subject().as_raw().to_vec(),
                Validity {
                    not_before: Timestamp::from_unix(parsed.validity().not_before.timestamp()),
                    not_after: Timestamp::from_unix(parsed.validity().not_after.timestamp()),
                },
                is_self_issued(&parsed),
            )
        };
        let inner = rcgen::Issuer::from_ca_cert_der(&certificate, key).map_err(sign::failed)?;
        let issuer = Self {
            inner,
            certificate,
            validity,
            self_signed,
        };
        issuer.check_name(&subject)?;
        Ok(issuer)
    }

    /// The key.
    pub(super) fn key(&self) -> &CaKey {
        self.inner.key()
    }

    /// The certificate it signs under.
    pub(super) const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Whether the certificate is a root, which no chain contains.
    pub(super) const fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// Cuts `wanted` to the life of the issuer.
    pub(super) fn shorten(&self, wanted: Validity) -> Result<Validity, ProviderError> {
        let cut = Validity {
            not_before: wanted.not_before.max(self.validity.not_before),
            not_after: wanted.not_after.min(self.validity.not_after),
        };
        if cut.not_before < cut.not_after {
            return Ok(cut);
        }
        Err(ProviderError::refused(format!(
            "a certificate from {} to {} has no life within its issuer's, {} to {}",
            wanted.not_before, wanted.not_after, self.validity.not_before, self.validity.not_after
        )))
    }

    /// Signs what `params` say for `key`.
    pub(super) fn sign(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let certificate = params.signed_by(key, &self.inner).map_err(sign::failed)?;
        Ok(certificate.der().clone())
    }

    /// rcgen writes names anew instead of copying them, so a trial shows whether this one
    /// comes out as it went in.
    fn check_name(&self, subject: &[u8]) -> Result<(), ProviderError> {
        let trial = self.sign(&CertificateParams::default(), self.key())?;
        if parse(&trial)?.issuer().as_raw() == subject {
            Ok(())
        } else {
            Err(super::name::refused())
        }
    }
}

/// The certificates of `chain` that are no roots.
pub(super) fn without_root(
    chain: &[CertificateDer<'static>],
) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    let mut links = Vec::with_capacity(chain.len());
    for certificate in chain {
        if !is_self_issued(&parse(certificate)?) {
            links.push(certificate.clone());
        }
    }
    Ok(links)
}

fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Reads one certificate and nothing after it.
pub(super) fn parse<'a>(
    certificate: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, ProviderError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(ProviderError::refused("bytes follow the certificate")),
        Err(error) => Err(ProviderError::refused(format!(
            "this is no certificate: {error}"
        ))),
    }
}
