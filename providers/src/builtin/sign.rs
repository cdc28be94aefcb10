//! What the built-in CA writes into certificates.

use std::borrow::Cow;
use std::time::Duration;

use chancery_core::{KeyUsages, Serial, Timestamp};
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyUsagePurpose, PublicKeyData, SanType,
    SignatureAlgorithm, SubjectPublicKeyInfo,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::issuer::Issuer;
use super::keys::CaKey;
use crate::{
    ExtendedKeyUsage, IntermediateTemplate, LeafTemplate, ProviderError, RootTemplate, Validity,
};

/// What stands before the point in a SubjectPublicKeyInfo of P-256 (RFC 5480 §2).
const P256_SPKI: &[u8] = &[
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// An uncompressed point.
const P256_POINT: usize = 65;
/// 9999-12-31T23:59:59Z, the last moment a certificate can name (RFC 5280 §4.1.2.5).
const LAST_SECOND: i64 = 253_402_300_799;

/// The root: signed by its own key.
pub(super) fn root(
    key: &CaKey,
    template: &RootTemplate,
) -> Result<CertificateDer<'static>, ProviderError> {
    let mut params = ca_params(&template.common_name, &template.uri, key_id(key))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(serial(&template.serial));
    set_validity(&mut params, template.validity)?;
    let certificate = params.self_signed(key).map_err(failed)?;
    Ok(certificate.der().clone())
}

/// The CSR of an intermediate for `key`.
pub(super) fn request(
    key: &CaKey,
    template: &IntermediateTemplate,
) -> Result<CertificateSigningRequestDer<'static>, ProviderError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&template.common_name);
    params.subject_alt_names = vec![uri(&template.uri)?];
    let request = params.serialize_request(key).map_err(failed)?;
    Ok(request.der().clone())
}

/// An intermediate for somebody else's key.
pub(super) fn intermediate(
    issuer: &Issuer,
    spki: &[u8],
    template: &IntermediateTemplate,
) -> Result<CertificateDer<'static>, ProviderError> {
    let key = public_key(spki)?;
    let mut params = ca_params(&template.common_name, &template.uri, key_id(&key))?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(template.path_length));
    params.serial_number = Some(serial(&template.serial));
    set_validity(&mut params, issuer.shorten(template.validity)?)?;
    issuer.sign(&params, &key)
}

/// A leaf for the key `spki`.
pub(super) fn leaf(
    issuer: &Issuer,
    spki: &[u8],
    template: &LeafTemplate,
) -> Result<CertificateDer<'static>, ProviderError> {
    let key = public_key(spki)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(&template.common_name);
    params.subject_alt_names = vec![uri(&template.uri)?];
    params.serial_number = Some(serial(&template.serial));
    params.key_usages = key_usages(template.key_usages);
    params.extended_key_usages = template
        .extended_key_usages
        .iter()
        .map(extended_key_usage)
        .collect();
    // Plain `NoCa` would leave out basicConstraints and the subject key identifier.
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id(&key));
    set_validity(&mut params, issuer.shorten(template.validity)?)?;
    issuer.sign(&params, &key)
}

/// A public key as it came, so that nothing is encoded again to take its hash.
pub(super) struct PublicKey<'a> {
    spki: &'a [u8],
    bits: Cow<'a, [u8]>,
    algorithm: &'static SignatureAlgorithm,
}

impl PublicKeyData for PublicKey<'_> {
    fn subject_public_key_info(&self) -> Vec<u8> {
        self.spki.to_vec()
    }

    fn der_bytes(&self) -> &[u8] {
        &self.bits
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

/// Reads a SubjectPublicKeyInfo.
///
/// P-256 is recognised by its first bytes: rcgen finds an algorithm by encoding one after
/// another, which with hashing the key from a second encoding took 1.5 of 15 µs for a leaf.
pub(super) fn public_key(spki: &[u8]) -> Result<PublicKey<'_>, ProviderError> {
    if let Some(point) = spki.strip_prefix(P256_SPKI)
        && point.len() == P256_POINT
    {
        return Ok(PublicKey {
            spki,
            bits: Cow::Borrowed(point),
            algorithm: &rcgen::PKCS_ECDSA_P256_SHA256,
        });
    }
    let key = SubjectPublicKeyInfo::from_der(spki)
        .map_err(|error| ProviderError::refused(format!("cannot certify this key: {error}")))?;
    Ok(PublicKey {
        spki,
        bits: Cow::Owned(key.der_bytes().to_vec()),
        algorithm: key.algorithm(),
    })
}

/// Sets both ends, in whole seconds.
pub(super) fn set_validity(
    params: &mut CertificateParams,
    validity: Validity,
) -> Result<(), ProviderError> {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    params.not_before = epoch + since_epoch(validity.not_before)?;
    params.not_after = epoch + since_epoch(validity.not_after)?;
    Ok(())
}

/// The serial number as rcgen takes it.
pub(super) fn serial(serial: &Serial) -> rcgen::SerialNumber {
    rcgen::SerialNumber::from_slice(serial.as_bytes())
}

/// Turns an error of rcgen into ours.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is the argument of map_err"
)]
pub(super) fn failed(error: rcgen::Error) -> ProviderError {
    ProviderError::broken(format!("cannot write the certificate: {error}"))
}

fn ca_params(name: &str, san: &str, key_id: Vec<u8>) -> Result<CertificateParams, ProviderError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, ca_name(name));
    params.subject_alt_names = vec![uri(san)?];
    params.key_usages = vec![
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ];
    params.use_authority_key_identifier_extension = true;
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_id);
    Ok(params)
}

/// Consul's key identifier: all 32 bytes of the SHA-256 of the SubjectPublicKeyInfo.
fn key_id(key: &impl PublicKeyData) -> Vec<u8> {
    aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key.subject_public_key_info())
        .as_ref()
        .to_vec()
}

/// The name of a CA as Go writes it: a PrintableString if that has the letters. HashiCorp's Vault
/// writes names so, whatever they were in a request, and a name in other bytes is another one.
fn ca_name(text: &str) -> DnValue {
    PrintableString::try_from(text).map_or_else(|_| text.into(), DnValue::PrintableString)
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn uri(text: &str) -> Result<SanType, ProviderError> {
    Ia5String::try_from(text)
        .map(SanType::URI)
        .map_err(|error| ProviderError::refused(format!("{text:?} is no URI: {error}")))
}

fn since_epoch(moment: Timestamp) -> Result<Duration, ProviderError> {
    let seconds = moment.unix_seconds();
    u64::try_from(seconds)
        .ok()
        .filter(|_| seconds <= LAST_SECOND)
        .map(Duration::from_secs)
        .ok_or_else(|| {
            ProviderError::refused(format!(
                "{moment} cannot stand in a certificate: it must lie between 1970 and 9999"
            ))
        })
}

/// The usages that a leaf can have, as rcgen takes them.
fn key_usages(usages: KeyUsages) -> Vec<KeyUsagePurpose> {
    [
        (
            KeyUsages::DIGITAL_SIGNATURE,
            KeyUsagePurpose::DigitalSignature,
        ),
        (
            KeyUsages::KEY_ENCIPHERMENT,
            KeyUsagePurpose::KeyEncipherment,
        ),
    ]
    .into_iter()
    .filter_map(|(usage, purpose)| usages.contains(usage).then_some(purpose))
    .collect()
}

fn extended_key_usage(usage: &ExtendedKeyUsage) -> ExtendedKeyUsagePurpose {
    match usage {
        ExtendedKeyUsage::ClientAuth => ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsage::ServerAuth => ExtendedKeyUsagePurpose::ServerAuth,
    }
}
