use rcgen::{CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};

use super::*;
use crate::certificate::testing::{
    TestCa, WEB, algorithms, assert_breaks, leaf_params, now, set_validity, uri,
};
use crate::certificate::{CertificateSummary, certificates_from_pem};

struct Asked {
    root: TestCa,
    key: KeyPair,
}

impl Asked {
    fn new() -> Self {
        Self {
            root: TestCa::root("root"),
            key: KeyPair::generate().unwrap(),
        }
    }

    fn leaf(&self, change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = leaf_params();
        change(&mut params);
        self.root.sign(&params, &self.key)
    }

    fn check(&self, chain: Vec<Vec<u8>>) -> Result<CheckedLeaf, Violation> {
        self.check_with(chain, |_| {})
    }

    fn check_with(
        &self,
        chain: Vec<Vec<u8>>,
        change: impl FnOnce(&mut LeafExpectation<'_>),
    ) -> Result<CheckedLeaf, Violation> {
        let spki = rcgen::PublicKeyData::subject_public_key_info(&self.key);
        let root = self.root.checked();
        let identity = SpiffeId::parse(WEB).unwrap();
        let mut expected = LeafExpectation {
            identity: &identity,
            spki_der: &spki,
            not_before: Timestamp::from_unix(now().unix_seconds() - 60),
            not_after: Timestamp::from_unix(now().unix_seconds() + 3600),
            issuer: root.issuer(),
            policy: &LeafPolicy::issued(),
            signature: SignatureCheck::Verify,
        };
        change(&mut expected);
        CheckedLeaf::check(chain, &expected, algorithms(), now())
    }
}

#[test]
fn a_leaf_as_asked_passes() {
    let asked = Asked::new();
    let chain = vec![asked.leaf(|_| {}), asked.root.sub("sub", |_| {}).der];
    let leaf = asked.check(chain.clone()).unwrap();
    assert_eq!(leaf.identity().to_string(), WEB);
    assert_eq!(leaf.serial().to_string(), "12:34");
    assert_eq!(leaf.not_before().to_string(), "2026-11-23T23:59:00Z");
    assert_eq!(leaf.not_after().to_string(), "2026-11-24T01:00:00Z");
    let root = asked.root.checked();
    assert_eq!(leaf.authority_key_id(), root.issuer().subject_key_id());
    assert_eq!(leaf.chain_der(), chain);
    assert_eq!(certificates_from_pem(leaf.pem().as_bytes()), Ok(chain));
}

#[test]
fn a_leaf_that_is_not_what_was_asked_is_refused_by_its_rule() {
    type Change = fn(&mut CertificateParams);
    let cases: &[(&str, Change)] = &[
        ("WrongIdentity", |leaf| {
            leaf.subject_alt_names = vec![uri(&WEB.replace("web", "db"))];
        }),
        ("UriCount", |leaf| {
            leaf.subject_alt_names.push(uri(&WEB.replace("web", "db")));
        }),
        ("OtherName", |leaf| {
            leaf.subject_alt_names
                .push(SanType::DnsName("web".try_into().unwrap()));
        }),
        ("LeafIsCa", |leaf| {
            leaf.is_ca = IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        }),
        ("KeyUsageForbidden", |leaf| {
            leaf.key_usages.push(KeyUsagePurpose::KeyEncipherment);
        }),
        ("Purpose", |leaf| {
            leaf.extended_key_usages
                .push(rcgen::ExtendedKeyUsagePurpose::CodeSigning);
        }),
        ("StartsTooEarly", |leaf| set_validity(leaf, -61, 3600)),
        ("OutlivesRequest", |leaf| set_validity(leaf, -60, 3601)),
        ("Expired", |leaf| set_validity(leaf, -60, -1)),
        ("NotYetValid", |leaf| set_validity(leaf, 1, 60)),
        ("Missing", |leaf| {
            leaf.use_authority_key_identifier_extension = false;
        }),
    ];
    for (rule, change) in cases {
        let asked = Asked::new();
        assert_breaks(asked.check(vec![asked.leaf(change)]), rule);
    }
}

#[test]
fn a_leaf_for_another_key_or_of_another_issuer_is_refused() {
    let asked = Asked::new();
    let other_key = asked.root.leaf(|_| {});
    assert_breaks(asked.check(vec![other_key]), "KeyMismatch");
    let stranger = Asked::new();
    let leaf = stranger.root.sign(&leaf_params(), &asked.key);
    assert_breaks(asked.check(vec![leaf]), "AuthorityKeyId");
    let mut forged = asked.leaf(|_| {});
    let last = forged.len() - 1;
    forged[last] ^= 1;
    assert_breaks(asked.check(vec![forged.clone()]), "Signature");
    asked
        .check_with(vec![forged], |expected| {
            expected.signature = SignatureCheck::ParseOnly;
        })
        .unwrap();
}

#[test]
fn nothing_outlives_its_issuer() {
    let mut asked = Asked::new();
    asked.root = TestCa::root_with("root", |root| set_validity(root, -60, 100));
    let inside = asked.leaf(|leaf| set_validity(leaf, -60, 100));
    asked.check(vec![inside]).unwrap();
    let outside = asked.leaf(|leaf| set_validity(leaf, -60, 101));
    assert_breaks(asked.check(vec![outside]), "OutlivesIssuer");
}

#[test]
fn an_rsa_leaf_may_encipher_keys() {
    let mut asked = Asked::new();
    asked.key = KeyPair::generate_for(&rcgen::PKCS_RSA_SHA256).unwrap();
    let leaf = asked.leaf(|leaf| leaf.key_usages.push(KeyUsagePurpose::KeyEncipherment));
    asked.check(vec![leaf]).unwrap();
}

#[test]
fn what_comes_behind_a_leaf_must_be_cas() {
    let asked = Asked::new();
    let chain = vec![asked.leaf(|_| {}), asked.leaf(|_| {})];
    assert_breaks(asked.check(chain), "NotCa");
    let old = asked.root.sub("old", |sub| set_validity(sub, -60, -1));
    assert_breaks(asked.check(vec![asked.leaf(|_| {}), old.der]), "Expired");
    assert_breaks(asked.check(vec![]), "ChainLength");
}

#[test]
fn a_summary_shows_what_a_person_asks() {
    let asked = Asked::new();
    let summary = CertificateSummary::inspect(&asked.leaf(|_| {})).unwrap();
    let text = summary.to_string();
    for line in [
        &*format!("SPIFFE ID  {WEB}"),
        "subject    CN=web.svc.default.11111111.consul",
        "issuer     CN=root",
        "valid      2026-11-23T23:59:00Z to 2026-11-24T01:00:00Z",
        "serial     12:34",
        "key        EC P-256 (leaf)",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
    }
    let root = CertificateSummary::inspect(&asked.root.der).unwrap();
    assert!(root.is_ca);
    assert!(root.authority_key_id.is_none());
    assert_eq!(summary.authority_key_id, root.subject_key_id);
}
