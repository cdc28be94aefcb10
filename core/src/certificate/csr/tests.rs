use std::sync::LazyLock;

use proptest::prelude::*;
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType};

use super::*;
use crate::certificate::OtherNames;
use crate::certificate::testing::{TD, WEB, algorithms, assert_breaks, csr_policy, extension, uri};

fn request(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    request_with(&KeyPair::generate().unwrap(), change)
}

fn request_with(key: &KeyPair, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(WEB)];
    change(&mut params);
    params.serialize_request(key).unwrap().der().to_vec()
}

fn parse(der: &[u8]) -> Result<CheckedCsr, Violation> {
    CheckedCsr::parse(der, algorithms(), &csr_policy())
}

#[test]
fn a_good_request_gives_identity_and_key() {
    for algorithm in [
        &rcgen::PKCS_ECDSA_P256_SHA256,
        &rcgen::PKCS_ECDSA_P384_SHA384,
        &rcgen::PKCS_ECDSA_P521_SHA512,
        &rcgen::PKCS_RSA_SHA256,
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let der = request_with(&key, |_| {});
        let csr = parse(&der).unwrap();
        assert_eq!(csr.identity().to_string(), WEB);
        assert_eq!(csr.der(), der);
        let spki = rcgen::PublicKeyData::subject_public_key_info(&key);
        assert_eq!(csr.spki_der(), spki);
        assert!(csr.key().bits() >= 256, "{}", csr.key());
    }
}

#[test]
fn an_agent_may_ask_too() {
    let agent = format!("spiffe://{TD}/agent/client/dc/dc1/id/node-1");
    let der = request(|csr| csr.subject_alt_names = vec![uri(&agent)]);
    assert_eq!(parse(&der).unwrap().identity().to_string(), agent);
}

#[test]
fn a_request_with_one_wrong_thing_is_refused_by_its_rule() {
    type Change = fn(&mut CertificateParams);
    let cases: &[(&str, Change)] = &[
        ("UriCount", |csr| csr.subject_alt_names.clear()),
        ("UriCount", |csr| {
            csr.subject_alt_names.push(uri(&WEB.replace("web", "db")));
        }),
        ("OtherName", |csr| {
            csr.subject_alt_names
                .push(SanType::DnsName("web.local".try_into().unwrap()));
        }),
        ("OtherName", |csr| {
            csr.subject_alt_names
                .push(SanType::IpAddress([127, 0, 0, 1].into()));
        }),
        ("Identity", |csr| {
            csr.subject_alt_names = vec![uri(&WEB.replace("spiffe:", "https:"))];
        }),
        ("CsrDatacenter", |csr| {
            csr.subject_alt_names = vec![uri(&WEB.replace("dc1", "dc2"))];
        }),
        ("CsrTrustDomain", |csr| {
            csr.subject_alt_names = vec![uri("spiffe://b.consul/ns/default/dc/dc1/svc/web")];
        }),
        ("CsrIdentity", |csr| {
            csr.subject_alt_names = vec![uri(&format!("spiffe://{TD}"))];
        }),
        ("LeafIsCa", |csr| {
            csr.custom_extensions = vec![extension(&[2, 5, 29, 19], true, &[0x30, 3, 1, 1, 255])];
        }),
        ("KeyUsageForbidden", |csr| {
            csr.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }),
        ("AnyPurpose", |csr| {
            csr.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
        }),
        ("CsrExtension", |csr| {
            csr.custom_extensions = vec![extension(&[1, 2, 3, 4], false, &[5, 0])];
        }),
        ("CsrExtension", |csr| {
            csr.custom_extensions = vec![extension(&[2, 5, 29, 35], false, &[0x30, 0])];
        }),
    ];
    for (rule, change) in cases {
        assert_breaks(parse(&request(change)), rule);
    }
}

#[test]
fn what_says_no_more_than_a_leaf_may_be_is_accepted() {
    let der = request(|csr| {
        csr.is_ca = IsCa::NoCa;
        csr.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        csr.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        csr.custom_extensions = vec![extension(&[2, 5, 29, 19], true, &[0x30, 0])];
    });
    parse(&der).unwrap();
}

#[test]
fn other_names_pass_only_where_the_policy_has_them() {
    let der = request(|csr| {
        csr.subject_alt_names
            .push(SanType::DnsName("localhost".try_into().unwrap()));
    });
    let mut policy = csr_policy();
    policy.other_names = OtherNames::DnsAndIp;
    let csr = CheckedCsr::parse(&der, algorithms(), &policy).unwrap();
    assert_eq!(csr.identity().to_string(), WEB);
}

#[test]
fn consuls_texts_are_kept() {
    let error = |text: &str| {
        let der = request(|csr| csr.subject_alt_names = vec![uri(text)]);
        parse(&der).unwrap_err().to_string()
    };
    assert_eq!(
        error(&WEB.replace("dc1", "dc2")),
        "SPIFFE ID in CSR from a different datacenter: dc2, we are dc1"
    );
    assert_eq!(
        error("spiffe://b.consul/ns/default/dc/dc1/svc/web"),
        format!("SPIFFE ID in CSR from a different trust domain: b.consul, we are {TD}")
    );
    assert_eq!(
        error(&format!("spiffe://{TD}")),
        "SPIFFE ID in CSR must be a service or agent ID"
    );
}

#[test]
fn the_signature_must_be_the_keys_own() {
    let mut der = request(|_| {});
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_breaks(parse(&der), "Signature");
    let checked = CheckedCsr::parse(&request(|_| {}), &[], &csr_policy());
    assert_breaks(checked, "SignatureAlgorithm");
}

#[test]
fn who_made_the_key_here_need_not_show_it_but_all_else_is_checked() {
    let mut policy = csr_policy();
    assert_eq!(policy.signature, SignatureCheck::Verify);
    policy.signature = SignatureCheck::ParseOnly;
    let mut der = request(|_| {});
    let last = der.last_mut().unwrap();
    *last ^= 1;
    assert_breaks(parse(&der), "Signature");
    assert!(CheckedCsr::parse(&der, algorithms(), &policy).is_ok());
    let der = request(|csr| csr.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained));
    let refused = CheckedCsr::parse(&der, algorithms(), &policy);
    assert_breaks(refused, "LeafIsCa");
}

#[test]
fn what_the_signature_does_not_cover_is_still_der() {
    let mut der = request(|_| {});
    // The last algorithm identifier is the outer one: its object identifier gets another tag.
    let ecdsa = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let mut parts = der.windows(ecdsa.len());
    let position = parts.rposition(|part| part == ecdsa).unwrap();
    der[position] = 0x80;
    assert_breaks(parse(&der), "Malformed");
}

#[test]
fn ed25519_is_for_peers_only() {
    let key = KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
    assert_breaks(parse(&request_with(&key, |_| {})), "Key");
}

#[test]
fn bytes_that_are_no_request_are_refused() {
    let der = request(|_| {});
    for length in 0..der.len() {
        assert!(parse(&der[..length]).is_err(), "{length} bytes");
    }
    let mut longer = der;
    longer.push(0);
    assert_breaks(parse(&longer), "Malformed");
    assert_breaks(parse(&vec![0x30; CheckedCsr::MAX_BYTES]), "Malformed");
    assert_breaks(parse(&vec![0x30; CheckedCsr::MAX_BYTES + 1]), "CsrTooLarge");
}

#[test]
fn two_lists_of_extensions_are_refused() {
    let extensions = |content: &'static [u8]| rcgen::Attribute {
        oid: &[1, 2, 840, 113_549, 1, 9, 14],
        values: content.to_vec(),
    };
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(WEB)];
    let twice = params
        .serialize_request_with_attributes(&key, vec![extensions(&[0x31, 2, 0x30, 0])])
        .unwrap();
    assert_breaks(parse(twice.der()), "DuplicateExtension");
    // One attribute with two values.
    params.subject_alt_names.clear();
    let pair = params
        .serialize_request_with_attributes(&key, vec![extensions(&[0x31, 4, 0x30, 0, 0x30, 0])])
        .unwrap();
    assert_breaks(parse(pair.der()), "DuplicateExtension");
}

static GOOD: LazyLock<Vec<u8>> =
    LazyLock::new(|| request(|csr| csr.key_usages = vec![KeyUsagePurpose::DigitalSignature]));

proptest! {
    #[test]
    fn no_mutilated_request_panics_or_passes(
        edits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0_u8..3), 1..6),
    ) {
        let mut der = GOOD.clone();
        for (place, byte, kind) in edits {
            let place = place.index(der.len());
            match kind {
                0 => der[place] = byte,
                1 => der.insert(place, byte),
                _ => { der.remove(place); }
            }
        }
        match parse(&der) {
            Ok(_) => prop_assert_eq!(&der, &*GOOD),
            Err(violation) => {
                prop_assert!(!violation.to_string().chars().any(char::is_control));
            }
        }
    }
}
