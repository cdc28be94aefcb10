//! A CA certificate together with its key: what signs.

use chancery_core::Timestamp;
use rcgen::{CertificateParams, DistinguishedName, KeyIdMethod, PublicKeyData, SigningKey as _};
use rustls_pki_types::CertificateDer;
use x509_parser::extensions::ParsedExtension;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::der;
use super::keys::CaKey;
use super::sign;
use crate::{ProviderError, Validity};

/// Signs under one certificate. Shared by all signing tasks.
pub(super) struct Issuer {
    key: CaKey,
    /// What rcgen writes a certificate with, before names and signature are put in.
    draft: rcgen::Issuer<'static, Draft>,
    certificate: CertificateDer<'static>,
    /// The certificate's own name in DER: the issuer's name in what it signs.
    name: Vec<u8>,
    validity: Validity,
    path_length: Option<u32>,
    self_signed: bool,
}

/// Stands where rcgen wants a key. It names the algorithm and signs nothing: the signature
/// follows when all bytes are in place.
pub(super) struct Draft(pub(super) &'static rcgen::SignatureAlgorithm);

impl PublicKeyData for Draft {
    fn der_bytes(&self) -> &[u8] {
        &[]
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        self.0
    }
}

impl rcgen::SigningKey for Draft {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(Vec::new())
    }
}

impl Issuer {
    /// Joins a certificate and its key.
    ///
    /// Refused if they do not belong together, or if the certificate is no CA's.
    pub(super) fn new(
        certificate: CertificateDer<'static>,
        key: CaKey,
    ) -> Result<Self, ProviderError> {
        let parsed = parse(&certificate)?;
        if parsed.public_key().raw != key.public_key() {
            return Err(ProviderError::refused(
                "the certificate is for another key than the one held",
            ));
        }
        if !parsed.is_ca() {
            return Err(ProviderError::refused("the certificate is no CA"));
        }
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(&parsed)?);
        let constraints = parsed.basic_constraints().ok().flatten();
        Ok(Self {
            name: parsed.subject().as_raw().to_vec(),
            validity: Validity {
                not_before: Timestamp::from_unix(parsed.validity().not_before.timestamp()),
                not_after: Timestamp::from_unix(parsed.validity().not_after.timestamp()),
            },
            path_length: constraints.and_then(|it| it.value.path_len_constraint),
            self_signed: is_self_issued(&parsed),
            draft: rcgen::Issuer::new(params, Draft(key.algorithm())),
            certificate,
            key,
        })
    }

    /// The key.
    pub(super) const fn key(&self) -> &CaKey {
        &self.key
    }

    /// The certificate it signs under.
    pub(super) const fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Whether the certificate is a root, which no chain contains.
    pub(super) const fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// Whether it may sign other CAs.
    pub(super) fn may_sign_cas(&self) -> bool {
        self.path_length != Some(0)
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
        self.sign_for(params, key, None)
    }

    /// Signs what `params` say for another CA: its name and key are copied to the byte.
    pub(super) fn sign_ca(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
        foreign: &X509Certificate<'_>,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        self.sign_for(params, key, Some(foreign))
    }

    fn sign_for(
        &self,
        params: &CertificateParams,
        key: &impl PublicKeyData,
        foreign: Option<&X509Certificate<'_>>,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let draft = params.signed_by(key, &self.draft).map_err(sign::failed)?;
        let (signed_part, algorithm) = self
            .fill_in(draft.der(), foreign)
            .ok_or_else(|| ProviderError::broken("the certificate's draft cannot be read"))?;
        let signature = self.key.sign(&signed_part).map_err(sign::failed)?;
        let signature = der::bit_string(&signature);
        Ok(der::sequence(&[&signed_part, algorithm, &signature]).into())
    }

    /// The signed part with the right names and key, and the signature's algorithm.
    fn fill_in<'d>(
        &self,
        draft: &'d [u8],
        foreign: Option<&X509Certificate<'_>>,
    ) -> Option<(Vec<u8>, &'d [u8])> {
        let (drafted, rest) = der::split(der::content(draft)?)?;
        let (algorithm, _no_signature) = der::split(rest)?;
        // version, serial, signature, issuer, validity, subject, subjectPublicKeyInfo
        // (RFC 5280 §4.1), and what is left is the extensions.
        let (version, rest) = der::split(der::content(drafted)?)?;
        let (serial, rest) = der::split(rest)?;
        let (signature, rest) = der::split(rest)?;
        let (_issuer, rest) = der::split(rest)?;
        let (validity, rest) = der::split(rest)?;
        let (subject, rest) = der::split(rest)?;
        let (key, extensions) = der::split(rest)?;
        let (subject, key) = foreign.map_or((subject, key), |foreign| {
            (foreign.subject().as_raw(), foreign.public_key().raw)
        });
        let parts = [
            version, serial, signature, &self.name, validity, subject, key, extensions,
        ];
        Some((der::sequence(&parts), algorithm))
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

/// What certificates below name as their authority key identifier.
fn key_id(certificate: &X509Certificate<'_>) -> Result<Vec<u8>, ProviderError> {
    let mut extensions = certificate.extensions().iter();
    let found = extensions.find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    });
    found.ok_or_else(|| ProviderError::refused("the certificate has no subject key identifier"))
}

pub(super) fn is_self_issued(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

/// Reads one certificate and nothing after it.
pub(super) fn parse<'a>(
    certificate: &'a CertificateDer<'_>,
) -> Result<X509Certificate<'a>, ProviderError> {
    match X509Certificate::from_der(certificate) {
        Ok(([], parsed)) => Ok(parsed),
        Ok(_) => Err(ProviderError::refused("bytes follow the certificate")),
        // The parser's own words are names of its code.
        Err(_) => Err(ProviderError::refused(
            "this is no X.509 certificate: what is in it is malformed or cut short",
        )),
    }
}
