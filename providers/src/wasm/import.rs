//! An operator's own root and key, checked before a plugin gets them.

use std::sync::Arc;

use chancery_core::{Timestamp, certificates_from_pem};
use rustls_pki_types::CertificateDer;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::held_key::HeldKey;
use crate::options::Decoder;
use crate::{OptionMap, ProviderError, SecretOptions};

/// What stands in `RootCert` and `PrivateKey`.
#[derive(Default)]
pub(super) struct Given {
    pub(super) root: Option<CertificateDer<'static>>,
    pub(super) key: Option<Arc<HeldKey>>,
}

impl Given {
    /// Reads both, and looks whether they belong together and are good for a CA now.
    pub(super) fn read(
        options: &OptionMap,
        secrets: &SecretOptions,
        now: Timestamp,
    ) -> Result<Self, ProviderError> {
        let mut decoder = Decoder::new(options);
        let pem = decoder.text("RootCert", "");
        decoder.finish()?;
        let key = secrets
            .find(PRIVATE_KEY)
            .map(|pem| HeldKey::import(PRIVATE_KEY, pem).map(Arc::new))
            .transpose()?;
        let root = match pem.as_str() {
            "" => None,
            pem => Some(one(pem)?),
        };
        match (&root, &key) {
            (Some(root), Some(key)) => check(root, key, now)?,
            (Some(_), None) => {
                return Err(ProviderError::misconfigured(
                    "RootCert was given without PrivateKey: a plugin takes both or none",
                ));
            }
            (None, _) => {}
        }
        Ok(Self { root, key })
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.root.is_none() && self.key.is_none()
    }
}

fn one(pem: &str) -> Result<CertificateDer<'static>, ProviderError> {
    let found = certificates_from_pem(pem.as_bytes())
        .map_err(|error| ProviderError::misconfigured(format!("RootCert: {error}")))?;
    let [root] = <[Vec<u8>; 1]>::try_from(found).map_err(|found| {
        ProviderError::misconfigured(format!(
            "RootCert holds {} certificates, a plugin takes one",
            found.len()
        ))
    })?;
    Ok(CertificateDer::from(root))
}

fn check(
    root: &CertificateDer<'static>,
    key: &HeldKey,
    now: Timestamp,
) -> Result<(), ProviderError> {
    let wrong = |what: String| Err(ProviderError::misconfigured(format!("RootCert: {what}")));
    let Ok(([], parsed)) = X509Certificate::from_der(root) else {
        return wrong("this is no certificate".into());
    };
    if parsed.public_key().raw != key.public_key_der() {
        return wrong("the certificate is for another key than the one in PrivateKey".into());
    }
    if !parsed.is_ca() {
        return wrong("the certificate is no CA".into());
    }
    let from = Timestamp::from_unix(parsed.validity().not_before.timestamp());
    let until = Timestamp::from_unix(parsed.validity().not_after.timestamp());
    if now < from || now > until {
        return wrong(format!(
            "it is valid from {from} until {until}, now is {now}"
        ));
    }
    Ok(())
}

/// The name under which a plugin finds the operator's key.
pub(super) const PRIVATE_KEY: &str = "PrivateKey";
