//! Certificates recorded from Consul 1.8.7, alone and on OpenBao: what they are to Consul they
//! must be to us, before and after rotations, in a primary and a secondary datacenter.

use std::time::Duration;

use serde::Deserialize;

use super::testing::algorithms;
use super::{
    CaPolicy, CertificateSummary, CheckedRoot, PeerRole, TrustBundle, VerifiedPeer, Violation,
    certificates_from_pem,
};
use crate::identity::{SpiffeId, TrustDomain, common_name};
use crate::time::Timestamp;

#[derive(Deserialize)]
struct Recording {
    name: String,
    trust_domain: TrustDomain,
    /// The active one first.
    roots: Vec<Root>,
    leaf: Leaf,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Root {
    #[serde(rename = "ID")]
    id: String,
    serial_number: u64,
    #[serde(rename = "SigningKeyID")]
    signing_key_id: String,
    not_before: Timestamp,
    not_after: Timestamp,
    root_cert: String,
    private_key_type: String,
    private_key_bits: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Leaf {
    serial_number: String,
    #[serde(rename = "CertPEM")]
    cert_pem: String,
    #[serde(rename = "ServiceURI")]
    service_uri: String,
    valid_after: Timestamp,
    valid_before: Timestamp,
}

impl Root {
    fn read(&self) -> CheckedRoot {
        let der = certificates_from_pem(self.root_cert.as_bytes()).unwrap();
        CheckedRoot::restore(&der[0]).unwrap()
    }
}

impl Recording {
    fn verify(&self, roots: &[Root]) -> Result<VerifiedPeer, Violation> {
        let roots = roots.iter().map(Root::read);
        let bundle = TrustBundle::new(self.trust_domain.clone(), roots).unwrap();
        let chain = certificates_from_pem(self.leaf.cert_pem.as_bytes()).unwrap();
        let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
        let later = self
            .leaf
            .valid_after
            .saturating_add(Duration::from_secs(90));
        bundle.verify_peer(&chain, PeerRole::Client, algorithms(), later)
    }
}

fn recordings() -> Vec<Recording> {
    serde_json::from_str(include_str!("testdata/consul_1_8_7.json")).unwrap()
}

#[test]
fn roots_are_to_us_what_they_are_to_consul() {
    for recording in recordings() {
        for root in &recording.roots {
            let checked = root.read();
            let (der, born) = (checked.issuer().der(), root.not_before);
            let again = CheckedRoot::check(der, &CaPolicy::any(), algorithms(), born);
            assert_eq!(again.as_ref(), Ok(&checked), "{}", recording.name);
            let issuer = checked.issuer();
            assert_eq!(checked.id(), root.id);
            assert_eq!(issuer.serial().low_u64(), root.serial_number);
            assert_eq!(issuer.not_before(), root.not_before);
            assert_eq!(issuer.not_after(), root.not_after);
            let key = issuer.key();
            assert_eq!(key.consul_type(), root.private_key_type);
            assert_eq!(key.bits(), root.private_key_bits);
        }
        // The root's own key, or in a secondary datacenter the intermediate's that signs leafs.
        let active = &recording.roots[0];
        let peer = recording.verify(&recording.roots).unwrap();
        let key_ids = [
            active.read().issuer().subject_key_id().to_string(),
            peer.authority_key_id().to_string(),
        ];
        assert!(
            key_ids.contains(&active.signing_key_id),
            "{}",
            recording.name
        );
    }
}

#[test]
fn leafs_are_accepted_as_peers() {
    for recording in recordings() {
        let name = &recording.name;
        let peer = recording.verify(&recording.roots).expect(name);
        let leaf = &recording.leaf;
        assert_eq!(peer.id().to_string(), leaf.service_uri, "{name}");
        assert_eq!(peer.serial().to_string(), leaf.serial_number, "{name}");
        assert_eq!(peer.not_after(), leaf.valid_before, "{name}");
    }
}

#[test]
fn the_active_root_alone_is_enough() {
    for recording in recordings() {
        let verdict = recording.verify(&recording.roots[..1]);
        assert!(verdict.is_ok(), "{}: {verdict:?}", recording.name);
    }
}

#[test]
fn common_names_are_the_ones_consul_gave() {
    let mut compared = 0;
    for recording in recordings() {
        let chain = certificates_from_pem(recording.leaf.cert_pem.as_bytes()).unwrap();
        let summary = CertificateSummary::inspect(&chain[0]).unwrap();
        let id = SpiffeId::parse(&recording.leaf.service_uri).unwrap();
        let expected = common_name(&id).unwrap();
        assert_eq!(
            summary.subject,
            format!("CN={expected}"),
            "{}",
            recording.name
        );
        compared += 1;
    }
    assert!(compared > 10);
}
