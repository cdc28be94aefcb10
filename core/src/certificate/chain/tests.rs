use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyIdMethod, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};

use super::*;
use crate::certificate::testing::{
    TD, TestCa, WEB, algorithms, assert_breaks, ca_params, extension, leaf_params, now,
    set_validity, trust_domain, uri,
};

fn verify(bundle: &TrustBundle, chain: &[Vec<u8>]) -> Result<VerifiedPeer, Violation> {
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    bundle.verify_peer(&chain, PeerRole::Client, algorithms(), now())
}

/// A leaf straight under the root, changed by `change`.
fn leaf_verdict(change: impl FnOnce(&mut CertificateParams)) -> Result<VerifiedPeer, Violation> {
    let root = TestCa::root("root");
    verify(&root.bundle(), &[root.leaf(change)])
}

/// A good leaf under an intermediate changed by `change`.
fn sub_verdict(change: impl FnOnce(&mut CertificateParams)) -> Result<VerifiedPeer, Violation> {
    let root = TestCa::root("root");
    let sub = root.sub("sub", change);
    verify(&root.bundle(), &[sub.leaf(|_| {}), sub.der])
}

#[test]
fn a_good_leaf_is_who_it_says() {
    let root = TestCa::root("root");
    let peer = verify(&root.bundle(), &[root.leaf(|_| {})]).unwrap();
    assert_eq!(peer.id().to_string(), WEB);
    assert_eq!(peer.serial().to_string(), "12:34");
    assert_eq!(peer.not_after().to_string(), "2026-11-24T01:00:00Z");
    let bundle = root.bundle();
    assert_eq!(peer.authority_key_id(), bundle.roots()[0].subject_key_id());
    sub_verdict(|_| {}).unwrap();
}

#[test]
fn a_leaf_is_read_by_its_form_whoever_signed_it() {
    let (bundle, stranger) = (TestCa::root("root").bundle(), TestCa::root("other"));
    let leaf = stranger.leaf(|_| {});
    let (id, not_after) = bundle.read_leaf(&leaf, PeerRole::Client).unwrap();
    assert_eq!(id.to_string(), WEB);
    assert_eq!(not_after.to_string(), "2026-11-24T01:00:00Z");
    let two = stranger.leaf(|leaf| leaf.subject_alt_names.push(uri(WEB)));
    let refused = bundle.read_leaf(&two, PeerRole::Client);
    assert!(
        matches!(refused, Err(Violation::UriCount { .. })),
        "{refused:?}"
    );
}

#[test]
fn leafs_of_consul_and_vault_are_accepted() {
    leaf_verdict(|leaf| {
        leaf.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
            KeyUsagePurpose::DataEncipherment,
            KeyUsagePurpose::KeyAgreement,
        ];
    })
    .unwrap();
    leaf_verdict(|leaf| {
        leaf.is_ca = IsCa::NoCa;
        leaf.subject_alt_names
            .push(SanType::DnsName("web.svc".try_into().unwrap()));
        leaf.serial_number = Some(SerialNumber::from_slice(&[0x7f; 20]));
    })
    .unwrap();
    // Consul 1.11 and later: no subject, and the SAN critical.
    leaf_verdict(|leaf| leaf.distinguished_name = DistinguishedName::new()).unwrap();
}

#[test]
fn a_leaf_with_one_wrong_thing_is_refused_by_its_rule() {
    type Change = fn(&mut CertificateParams);
    let cases: &[(&str, Change)] = &[
        ("LeafIsCa", |leaf| {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }),
        ("KeyUsageForbidden", |leaf| {
            leaf.key_usages.push(KeyUsagePurpose::KeyCertSign);
        }),
        ("KeyUsageForbidden", |leaf| {
            leaf.key_usages.push(KeyUsagePurpose::CrlSign);
        }),
        ("KeyUsageMissing", |leaf| {
            leaf.key_usages = vec![KeyUsagePurpose::KeyAgreement];
        }),
        ("KeyUsageMissing", |leaf| leaf.key_usages.clear()),
        ("Purpose", |leaf| leaf.extended_key_usages.clear()),
        ("Purpose", |leaf| {
            leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        }),
        ("AnyPurpose", |leaf| {
            leaf.extended_key_usages.push(ExtendedKeyUsagePurpose::Any);
        }),
        ("UriCount", |leaf| leaf.subject_alt_names.clear()),
        ("UriCount", |leaf| {
            leaf.subject_alt_names.push(uri(&WEB.replace("web", "db")));
        }),
        ("OtherName", |leaf| {
            leaf.subject_alt_names
                .push(SanType::Rfc822Name("a@b.c".try_into().unwrap()));
        }),
        ("Identity", |leaf| {
            leaf.subject_alt_names = vec![uri(&WEB.replace("web", "%77eb"))];
        }),
        ("TrustDomain", |leaf| {
            leaf.subject_alt_names = vec![uri("spiffe://a.consul/ns/default/dc/dc1/svc/web")];
        }),
        ("NotService", |leaf| {
            leaf.subject_alt_names = vec![uri(&format!("spiffe://{TD}/agent/client/dc/dc1/id/n"))];
        }),
        ("NotService", |leaf| {
            leaf.subject_alt_names = vec![uri(&format!("spiffe://{TD}"))];
        }),
        ("Expired", |leaf| set_validity(leaf, -60, -1)),
        ("NotYetValid", |leaf| set_validity(leaf, 1, 60)),
        ("Serial", |leaf| {
            leaf.serial_number = Some(SerialNumber::from_slice(&[0]));
        }),
        ("Serial", |leaf| {
            leaf.serial_number = Some(SerialNumber::from_slice(&[0x7f; 21]));
        }),
        ("Missing", |leaf| {
            leaf.use_authority_key_identifier_extension = false;
        }),
        ("CriticalExtension", |leaf| {
            leaf.custom_extensions = vec![extension(&[1, 2, 3, 4], true, &[5, 0])];
        }),
        ("NotCritical", |leaf| {
            leaf.is_ca = IsCa::NoCa;
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 14], true, &[4, 1, 1])];
        }),
        ("NotCritical", |leaf| {
            leaf.use_authority_key_identifier_extension = false;
            let id = [0x30, 3, 0x80, 1, 1];
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 35], true, &id)];
        }),
        ("DuplicateExtension", |leaf| {
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 15], true, &[3, 2, 7, 128])];
        }),
        ("Extensions", |leaf| {
            let extra = |n| extension(&[1, 2, 3, n], false, &[5, 0]);
            leaf.custom_extensions = (0..32).map(extra).collect();
        }),
        ("Malformed", |leaf| {
            leaf.key_usages.clear();
            // One byte after the bit string.
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 15], true, &[3, 2, 7, 128, 0])];
        }),
        ("SanNotCritical", |leaf| {
            leaf.distinguished_name = DistinguishedName::new();
            leaf.subject_alt_names.clear();
            leaf.custom_extensions = vec![extension(&[2, 5, 29, 17], false, &san_of(WEB))];
        }),
    ];
    for (rule, change) in cases {
        assert_breaks(leaf_verdict(change), rule);
    }
}

/// A SubjectAltName with one URI of less than 126 bytes, in DER.
fn san_of(uri: &str) -> Vec<u8> {
    let length = u8::try_from(uri.len()).unwrap();
    let mut der = vec![0x30, length + 2, 0x86, length];
    der.extend_from_slice(uri.as_bytes());
    der
}

#[test]
fn validity_ends_with_its_last_second() {
    leaf_verdict(|leaf| set_validity(leaf, -60, 0)).unwrap();
    leaf_verdict(|leaf| set_validity(leaf, 0, 60)).unwrap();
    // Half a second into the last second is still inside.
    let root = TestCa::root("root");
    let leaf = root.leaf(|leaf| set_validity(leaf, -60, 0));
    let half = now().saturating_add(std::time::Duration::from_millis(500));
    let bundle = root.bundle();
    let verdict = bundle.verify_peer(&[&leaf], PeerRole::Client, algorithms(), half);
    assert!(verdict.is_ok());
}

#[test]
fn the_role_decides_which_purpose_is_needed() {
    let root = TestCa::root("root");
    let leaf = root.leaf(|leaf| {
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    let bundle = root.bundle();
    let as_server = bundle.verify_peer(&[&leaf], PeerRole::Server, algorithms(), now());
    assert!(as_server.is_ok());
    let as_client = bundle.verify_peer(&[&leaf], PeerRole::Client, algorithms(), now());
    assert_breaks(as_client, "Purpose");
}

#[test]
fn an_issuer_with_one_wrong_thing_is_refused_by_its_rule() {
    type Change = fn(&mut CertificateParams);
    let cases: &[(&str, Change)] = &[
        ("NotCa", |sub| sub.is_ca = IsCa::ExplicitNoCa),
        ("NotCa", |sub| sub.is_ca = IsCa::NoCa),
        ("BasicConstraintsNotCritical", |sub| {
            sub.is_ca = IsCa::NoCa;
            sub.custom_extensions = vec![extension(&[2, 5, 29, 19], false, &[0x30, 3, 1, 1, 255])];
        }),
        ("KeyUsageMissing", |sub| {
            sub.key_usages = vec![KeyUsagePurpose::CrlSign];
        }),
        ("KeyUsageForbidden", |sub| {
            sub.key_usages.push(KeyUsagePurpose::KeyAgreement);
        }),
        ("Missing", |sub| {
            sub.is_ca = IsCa::NoCa;
            sub.custom_extensions = vec![extension(&[2, 5, 29, 19], true, &[0x30, 3, 1, 1, 255])];
        }),
        ("Expired", |sub| set_validity(sub, -60, -1)),
        ("NotYetValid", |sub| set_validity(sub, 1, 60)),
        ("Missing", |sub| {
            sub.use_authority_key_identifier_extension = false;
        }),
        ("Purpose", |sub| {
            sub.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }),
        ("NameConstraint", |sub| {
            sub.name_constraints = Some(rcgen::NameConstraints {
                permitted_subtrees: vec![rcgen::GeneralSubtree::DirectoryName(
                    DistinguishedName::new(),
                )],
                excluded_subtrees: vec![rcgen::GeneralSubtree::DirectoryName({
                    let mut name = DistinguishedName::new();
                    name.push(DnType::CommonName, "web.svc.default.11111111.consul");
                    name
                })],
            });
        }),
    ];
    for (rule, change) in cases {
        assert_breaks(sub_verdict(change), rule);
    }
}

#[test]
fn a_ca_without_a_name_is_refused() {
    let root = TestCa::root("root");
    let sub = root.sub("", |sub| sub.distinguished_name = DistinguishedName::new());
    let verdict = verify(&root.bundle(), &[sub.leaf(|_| {}), sub.der]);
    assert_breaks(verdict, "EmptySubject");
}

#[test]
fn path_length_holds_for_intermediates_and_roots() {
    let limit = |length| {
        move |params: &mut CertificateParams| {
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
        }
    };
    for (at_root, at_first, good) in [(2, 1, true), (2, 0, false), (1, 1, false)] {
        let root = TestCa::root_with("root", limit(at_root));
        let first = root.sub("first", limit(at_first));
        let second = first.sub("second", |_| {});
        let chain = [second.leaf(|_| {}), second.der, first.der];
        let verdict = verify(&root.bundle(), &chain);
        if good {
            verdict.unwrap();
        } else {
            assert_breaks(verdict, "PathLength");
        }
    }
}

#[test]
fn a_root_out_of_its_time_is_no_root() {
    for (rule, from, to) in [("Expired", -60, -1), ("NotYetValid", 1, 60)] {
        let root = TestCa::root_with("root", |root| set_validity(root, from, to));
        assert_breaks(verify(&root.bundle(), &[root.leaf(|_| {})]), rule);
    }
}

#[test]
fn somebody_elses_root_is_unknown_and_a_forged_signature_is_seen() {
    let ours = TestCa::root("root");
    let other = TestCa::root("other");
    let verdict = verify(&ours.bundle(), &[other.leaf(|_| {})]);
    assert_breaks(verdict, "UnknownIssuer");
    // Same name, another key.
    let twin = TestCa::root("root");
    assert_breaks(verify(&ours.bundle(), &[twin.leaf(|_| {})]), "Signature");
    // An algorithm that the caller did not pass.
    let leaf = ours.leaf(|_| {});
    let verdict = ours
        .bundle()
        .verify_peer(&[&leaf], PeerRole::Client, &[], now());
    assert_breaks(verdict, "SignatureAlgorithm");
}

#[test]
fn key_identifiers_must_match_from_link_to_link() {
    let root = TestCa::root("root");
    let mut liar = ca_params("root");
    liar.key_identifier_method = KeyIdMethod::PreSpecified(vec![1; 20]);
    let issuer = rcgen::Issuer::from_params(&liar, &root.key);
    let key = KeyPair::generate().unwrap();
    let leaf = leaf_params().signed_by(&key, &issuer).unwrap();
    let verdict = verify(&root.bundle(), &[leaf.der().to_vec()]);
    assert_breaks(verdict, "AuthorityKeyId");

    // The same between a leaf and an intermediate.
    let sub = root.sub("sub", |_| {});
    let mut liar = ca_params("sub");
    liar.key_identifier_method = KeyIdMethod::PreSpecified(vec![1; 20]);
    let issuer = rcgen::Issuer::from_params(&liar, &sub.key);
    let leaf = leaf_params().signed_by(&key, &issuer).unwrap();
    let verdict = verify(&root.bundle(), &[leaf.der().to_vec(), sub.der]);
    assert_breaks(verdict, "AuthorityKeyId");
}

#[test]
fn weak_and_unknown_keys_are_refused() {
    let root = TestCa::root("root");
    let ed25519 = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    verify(&root.bundle(), &[root.sign(&leaf_params(), &ed25519)]).unwrap();
    // RSA 2048 passes; its modulus cut to 2,040 bits does not (nobody makes such keys here).
    for (bits, good) in [(2048, true), (2040, false), (4096, true), (4104, false)] {
        let key = FakeRsa::new(bits);
        let verdict = verify(&root.bundle(), &[root.sign(&leaf_params(), &key)]);
        if good {
            verdict.unwrap();
        } else {
            assert_breaks(verdict, "Key");
        }
    }
}

/// An RSA public key of any size: a leaf's own key is never used to verify anything here.
struct FakeRsa(Vec<u8>);

impl FakeRsa {
    fn new(bits: usize) -> Self {
        let length = bits / 8;
        let mut key = vec![0x30, 0x82];
        key.extend_from_slice(&u16::try_from(length + 1 + 4 + 5).unwrap().to_be_bytes());
        key.extend_from_slice(&[2, 0x82]);
        key.extend_from_slice(&u16::try_from(length + 1).unwrap().to_be_bytes());
        key.push(0);
        key.extend(std::iter::repeat_n(0xff, length));
        key.extend_from_slice(&[2, 3, 1, 0, 1]);
        Self(key)
    }
}

impl rcgen::PublicKeyData for FakeRsa {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_RSA_SHA256
    }
}

#[test]
fn size_is_judged_before_anything_is_read() {
    let root = TestCa::root("root");
    let bundle = root.bundle();
    assert_breaks(verify(&bundle, &[]), "ChainLength");
    assert_breaks(verify(&bundle, &vec![vec![0]; 9]), "ChainLength");
    assert_breaks(verify(&bundle, &vec![vec![0]; 8]), "Malformed");
    assert_breaks(verify(&bundle, &[vec![0; 32 * 1024 + 1]]), "ChainBytes");
    assert_breaks(verify(&bundle, &[vec![0; 32 * 1024]]), "Malformed");
}

#[test]
fn bytes_that_are_no_certificate_are_refused() {
    let root = TestCa::root("root");
    let bundle = root.bundle();
    let leaf = root.leaf(|_| {});
    for length in 0..leaf.len() {
        assert_breaks(verify(&bundle, &[leaf[..length].to_vec()]), "Malformed");
    }
    let mut longer = leaf.clone();
    longer.push(0);
    assert_breaks(verify(&bundle, &[longer]), "Malformed");
    assert_breaks(verify(&bundle, &[leaf, vec![0x30, 0]]), "Malformed");
}

#[test]
fn any_flipped_bit_is_noticed() {
    let root = TestCa::root("root");
    let bundle = root.bundle();
    let leaf = root.leaf(|_| {});
    for position in 0..leaf.len() {
        let mut flipped = leaf.clone();
        flipped[position] ^= 1 << (position % 8);
        assert!(verify(&bundle, &[flipped]).is_err(), "byte {position}");
    }
}

#[test]
fn version_1_is_refused() {
    let root = TestCa::root("root");
    let leaf = root.leaf(|_| {});
    // [0] { INTEGER 2 } becomes INTEGER 1.
    let version = [0xa0, 3, 2, 1, 2];
    let position = leaf
        .windows(5)
        .position(|window| window == version)
        .unwrap();
    let mut older = leaf;
    older[position + 4] = 1;
    assert_breaks(verify(&root.bundle(), &[older]), "Version");
}

#[test]
fn a_maze_of_same_named_cas_is_refused_before_any_signature() {
    let root = TestCa::root("maze");
    let stranger = TestCa::root("maze");
    // Three offer 31 steps and are tried; four offer 129 and are not.
    for (cas, rule) in [
        (3, "Signature"),
        (4, "PathComplexity"),
        (7, "PathComplexity"),
    ] {
        let mut chain = vec![stranger.leaf(|_| {})];
        let crowd = (0..cas).map(|_| TestCa::root("maze").sub("maze", |_| {}).der);
        chain.extend(crowd);
        assert_breaks(verify(&root.bundle(), &chain), rule);
    }
}

#[test]
fn an_intermediate_that_comes_often_or_for_nothing_does_not_hurt() {
    let root = TestCa::root("root");
    let sub = root.sub("sub", |_| {});
    let unused = root.sub("unused", |_| {});
    let mut chain = vec![sub.leaf(|_| {}), unused.der, sub.der.clone(), sub.der];
    chain.extend([(); 4].map(|()| root.der.clone()));
    verify(&root.bundle(), &chain).unwrap();
}

#[test]
fn after_a_rotation_both_bundles_accept_the_new_chain() {
    let old = TestCa::root("old");
    let new = TestCa::root("new");
    // The new root's key and name under the old root's signature.
    let mut params = new.params.clone();
    params.use_authority_key_identifier_extension = true;
    let cross_signed = old.sign(&params, &new.key);
    let chain = [new.leaf(|_| {}), cross_signed];
    verify(&old.bundle(), &chain).unwrap();
    verify(&new.bundle(), &chain).unwrap();
}

#[test]
fn a_bundle_reads_pem_and_keeps_each_root_once() {
    let root = TestCa::root("root");
    let pem = crate::certificate::certificates_to_pem([&root.der, &root.der]);
    let bundle = TrustBundle::from_pem(trust_domain(), pem.as_bytes()).unwrap();
    assert_eq!(bundle.roots().len(), 1);
    assert!(verify(&bundle, &[root.leaf(|_| {})]).is_ok());
    assert_breaks(TrustBundle::from_pem(trust_domain(), b""), "Pem");
    let pem = crate::certificate::certificates_to_pem([root.leaf(|_| {})]);
    let bundle = TrustBundle::from_pem(trust_domain(), pem.as_bytes());
    assert_breaks(bundle, "NotCa");
}

/// A leaf, an intermediate and their root with one of every extension that we read.
static GOOD: LazyLock<(TrustBundle, Vec<Vec<u8>>)> = LazyLock::new(|| {
    let root = TestCa::root("root");
    let sub = root.sub("sub", |_| {});
    let leaf = sub.leaf(|leaf| {
        leaf.subject_alt_names
            .push(SanType::DnsName("web.svc".try_into().unwrap()));
        leaf.custom_extensions = vec![extension(&[1, 2, 3, 4], false, &[5, 0])];
    });
    (root.bundle(), vec![leaf, sub.der])
});

proptest! {
    #[test]
    fn no_mutilated_chain_panics_or_passes(
        which in 0_usize..2,
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let (bundle, good) = &*GOOD;
        let mut chain = good.clone();
        let der = &mut chain[which];
        for (place, byte, kind) in edits {
            let place = place.index(der.len());
            match kind {
                0 => der[place] = byte,
                1 => der.insert(place, byte),
                _ => { der.remove(place); }
            }
        }
        if let Ok(summary) = crate::certificate::CertificateSummary::inspect(&chain[which]) {
            let text = summary.to_string();
            prop_assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
        }
        match verify(bundle, &chain) {
            Ok(_) => prop_assert_eq!(&chain, good),
            Err(violation) => {
                prop_assert!(!violation.to_string().chars().any(char::is_control));
            }
        }
    }
}
