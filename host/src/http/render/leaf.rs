//! A leaf certificate with its key.

use chancery_core::Timestamp;
use serde::Serialize;

use crate::agent::leafs::Leaf;

/// A service's leaf.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct LeafBody<'a> {
    serial_number: &'a str,
    #[serde(rename = "CertPEM")]
    cert_pem: &'a str,
    #[serde(rename = "PrivateKeyPEM")]
    private_key_pem: &'a str,
    service: &'a str,
    #[serde(rename = "ServiceURI")]
    service_uri: &'a str,
    valid_after: Timestamp,
    valid_before: Timestamp,
    create_index: u64,
    modify_index: u64,
}

impl<'a> LeafBody<'a> {
    /// Nothing if the key is no text, which PEM always is.
    pub(crate) fn of(leaf: &'a Leaf) -> Option<Self> {
        Some(Self {
            serial_number: &leaf.serial,
            cert_pem: &leaf.certificates_pem,
            private_key_pem: std::str::from_utf8(leaf.private_key_pem.expose()).ok()?,
            service: leaf.service.as_str(),
            service_uri: &leaf.uri,
            valid_after: leaf.valid_after.whole_seconds(),
            valid_before: leaf.valid_before.whole_seconds(),
            create_index: leaf.index,
            modify_index: leaf.index,
        })
    }
}
