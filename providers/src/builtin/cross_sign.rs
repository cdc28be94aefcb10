//! Signing another CA's root: its name, key and extensions stay, the issuer changes.

use rcgen::{CertificateParams, CustomExtension, DistinguishedName, IsCa};
use rustls_pki_types::CertificateDer;
use x509_parser::oid_registry::OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER;
use x509_parser::prelude::X509Certificate;

use super::issuer::{Issuer, parse};
use super::sign;
use crate::{CrossSignRequest, ProviderError};

/// The foreign root under `issuer`.
///
/// Name and key are copied to the byte. Every extension but the authority key identifier is copied to the byte, with its
/// criticality: name constraints of the foreign root go on holding.
pub(super) fn cross_sign(
    issuer: &Issuer,
    request: &CrossSignRequest,
) -> Result<CertificateDer<'static>, ProviderError> {
    let foreign = parse(&request.root)?;
    if !foreign.is_ca() {
        return Err(ProviderError::refused(
            "the certificate to cross-sign is no CA",
        ));
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.serial_number = Some(sign::serial(&request.serial));
    params.is_ca = IsCa::NoCa;
    params.use_authority_key_identifier_extension = true;
    params.custom_extensions = extensions(&foreign)?;
    sign::set_validity(&mut params, issuer.shorten(request.validity)?)?;
    let key = sign::public_key(foreign.public_key().raw)?;
    issuer.sign_ca(&params, &key, &foreign)
}

fn extensions(foreign: &X509Certificate<'_>) -> Result<Vec<CustomExtension>, ProviderError> {
    foreign
        .extensions()
        .iter()
        .filter(|extension| extension.oid != OID_X509_EXT_AUTHORITY_KEY_IDENTIFIER)
        .map(|extension| {
            let oid: Vec<u64> = extension
                .oid
                .iter()
                .ok_or_else(|| ProviderError::refused("an extension has an OID out of range"))?
                .collect();
            let mut copy = CustomExtension::from_oid_content(&oid, extension.value.to_vec());
            copy.set_criticality(extension.critical);
            Ok(copy)
        })
        .collect()
}
