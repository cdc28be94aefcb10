//! Certificates that an attacker would offer, each with the rule that must refuse it.
//!
//! The chains are signed by a [`TestCa`] that the victim trusts (so that nothing but the rule in
//! question stands in the way) and come with a private key, so that they can be offered in a
//! real handshake. [`cases`] are refused by what they say, [`stolen`] by the handshake alone,
//! and [`controls`] must be accepted: a victim that refuses everything proves nothing.

mod ca;
mod handmade;
mod issuers;
mod leafs;
mod malformed;
mod names;
mod offer;
mod records;

pub use ca::TestCa;
pub use handmade::{
    CLIENT_CONTEXT, HandmadeClient, HandmadeHello, certificate, certificate_head, proof_of,
};
pub use offer::{connector, rewritten};

use rcgen::{CertificateParams, Error, KeyPair};

/// A chain to offer as one's own certificate.
#[derive(Debug)]
#[non_exhaustive]
pub struct HostileCase {
    /// A short name for listings; unique.
    pub name: String,
    /// The name of the `Violation` that refuses it.
    pub rule: &'static str,
    /// The chain in DER, leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The private key to offer it with (PKCS #8 in DER).
    pub key_pkcs8: Vec<u8>,
}

/// Chains that must be refused, by a client or a server alike except where named.
///
/// # Errors
/// When a certificate cannot be made.
pub fn cases(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    let mut cases = names::cases(ca)?;
    cases.extend(leafs::cases(ca)?);
    cases.extend(issuers::cases(ca)?);
    cases.extend(malformed::cases(ca)?);
    Ok(cases)
}

/// A good chain with somebody else's key: only the handshake's signature can tell.
///
/// # Errors
/// When a certificate cannot be made.
pub fn stolen(ca: &TestCa) -> Result<HostileCase, Error> {
    let mut case = leaf_case(ca, "stolen leaf without its key", "", |_| {})?;
    case.key_pkcs8 = KeyPair::generate()?.serialize_der();
    Ok(case)
}

/// Chains that must be accepted: ours, Consul's, Vault's, one under an intermediate.
///
/// # Errors
/// When a certificate cannot be made.
pub fn controls(ca: &TestCa) -> Result<Vec<HostileCase>, Error> {
    use rcgen::{IsCa, KeyUsagePurpose as Usage, SanType};
    let sub = ca.intermediate("control", |_| {})?;
    let (leaf, key) = sub.leaf(|_| {})?;
    let vault_name = SanType::DnsName("web.svc.default.consul".try_into()?);
    Ok(vec![
        leaf_case(ca, "plain leaf", "", |_| {})?,
        leaf_case(ca, "leaf as Consul 1.8 makes it", "", |leaf| {
            leaf.key_usages = vec![
                Usage::DigitalSignature,
                Usage::KeyEncipherment,
                Usage::DataEncipherment,
                Usage::KeyAgreement,
            ];
        })?,
        leaf_case(ca, "leaf as Vault makes it", "", |leaf| {
            leaf.is_ca = IsCa::NoCa;
            leaf.key_usages.push(Usage::KeyAgreement);
            leaf.subject_alt_names.insert(0, vault_name);
        })?,
        HostileCase {
            name: "leaf under an intermediate".to_owned(),
            rule: "",
            chain: vec![leaf, sub.der().to_vec()],
            key_pkcs8: key,
        },
    ])
}

/// A leaf straight under the root, changed by `change`.
fn leaf_case(
    ca: &TestCa,
    name: &str,
    rule: &'static str,
    change: impl FnOnce(&mut CertificateParams),
) -> Result<HostileCase, Error> {
    let (leaf, key_pkcs8) = ca.leaf(change)?;
    Ok(HostileCase {
        name: name.to_owned(),
        rule,
        chain: vec![leaf],
        key_pkcs8,
    })
}
