//! The roots of the trust domain.

use chancery_core::{Authority, CaRoot, Der, Timestamp, certificates_to_pem};
use serde::Serialize;

/// All roots, as both roots endpoints show them.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct RootList<'a> {
    #[serde(rename = "ActiveRootID")]
    active_root_id: &'a str,
    trust_domain: &'a str,
    roots: Vec<Root<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Root<'a> {
    #[serde(rename = "ID")]
    id: &'a str,
    name: &'a str,
    serial_number: u64,
    #[serde(rename = "SigningKeyID")]
    signing_key_id: &'a str,
    external_trust_domain: &'a str,
    not_before: Timestamp,
    not_after: Timestamp,
    root_cert: String,
    intermediate_certs: Option<Vec<String>>,
    active: bool,
    private_key_type: &'a str,
    private_key_bits: u32,
    create_index: u64,
    modify_index: u64,
}

impl<'a> RootList<'a> {
    pub(crate) fn of(authority: &'a Authority) -> Self {
        let trust_domain = authority
            .trust_domain()
            .map_or("", |trust_domain| trust_domain.as_str());
        let cluster = trust_domain.strip_suffix(".consul").unwrap_or(trust_domain);
        Self {
            active_root_id: authority.active_root().map_or("", |root| &root.id),
            trust_domain,
            roots: authority
                .roots()
                .map(|root| Root::of(root, cluster))
                .collect(),
        }
    }
}

impl<'a> Root<'a> {
    fn of(root: &'a CaRoot, cluster: &'a str) -> Self {
        let intermediates: Vec<_> = behind(root)
            .map(|certificate| pem(certificate.as_bytes()))
            .collect();
        Self {
            id: &root.id,
            name: &root.name,
            serial_number: root.serial_number,
            signing_key_id: &root.signing_key_id,
            external_trust_domain: cluster,
            not_before: root.not_before.whole_seconds(),
            not_after: root.not_after.whole_seconds(),
            root_cert: pem(root.certificate.as_bytes()),
            intermediate_certs: (!intermediates.is_empty()).then_some(intermediates),
            active: root.active,
            private_key_type: &root.private_key_type,
            private_key_bits: root.private_key_bits,
            create_index: root.create_index,
            modify_index: root.modify_index,
        }
    }
}

/// All roots, each followed by its intermediates, as PEM.
pub(crate) fn pem_bundle(authority: &Authority) -> String {
    authority
        .roots()
        .flat_map(|root| std::iter::once(&root.certificate).chain(behind(root)))
        .map(|certificate| pem(certificate.as_bytes()))
        .collect()
}

/// What is sent with leafs of `root`, as Consul orders it: cross-signed certificates first.
fn behind(root: &CaRoot) -> impl Iterator<Item = &Der> {
    let links = root.links.iter().map(|link| &link.certificate);
    links.chain(&root.intermediates)
}

fn pem(der: &[u8]) -> String {
    certificates_to_pem([der])
}
