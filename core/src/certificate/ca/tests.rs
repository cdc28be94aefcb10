use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyIdMethod, SerialNumber};

use super::*;
use crate::certificate::testing::{TestCa, algorithms, assert_breaks, now, set_validity};

fn check_root(der: &[u8]) -> Result<CheckedRoot, Violation> {
    CheckedRoot::check(der, &CaPolicy::any(), algorithms(), now())
}

#[test]
fn a_root_is_known_by_what_consul_shows_of_it() {
    let root = TestCa::root_with("pri-abc.consul.ca.11111111.consul", |root| {
        root.serial_number = Some(SerialNumber::from_slice(&[7]));
        root.key_identifier_method = KeyIdMethod::PreSpecified(vec![0xab; 32]);
    });
    let checked = check_root(&root.der).unwrap();
    assert_eq!(checked.id(), colon_hex(&Sha1::digest(&root.der)));
    assert_eq!(checked.id().len(), 59);
    let issuer = checked.issuer();
    assert_eq!(issuer.serial().low_u64(), 7);
    assert_eq!(issuer.subject(), "CN=pri-abc.consul.ca.11111111.consul");
    assert_eq!(issuer.subject_key_id().to_string(), ["ab"; 32].join(":"));
    assert_eq!(issuer.key(), &KeyKind::P256);
    assert_eq!(
        (issuer.key().consul_type(), issuer.key().bits()),
        ("ec", 256)
    );
    assert_eq!(issuer.not_before().to_string(), "2026-11-23T00:00:00Z");
    assert!(issuer.pem().ends_with("-----END CERTIFICATE-----\n"));
    assert_eq!(CheckedRoot::restore(&root.der).unwrap(), checked);
}

#[test]
fn a_root_must_be_valid_and_signed_by_itself() {
    let old = TestCa::root_with("root", |root| set_validity(root, -60, -1));
    assert_breaks(check_root(&old.der), "Expired");
    CheckedRoot::restore(&old.der).unwrap();

    let sub = TestCa::root("root").sub("sub", |_| {});
    assert_breaks(check_root(&sub.der), "IssuerName");
    // The name is its own, the signature is another's.
    let twin = TestCa::root("root").sub("root", |sub| {
        sub.use_authority_key_identifier_extension = false;
    });
    assert_breaks(check_root(&twin.der), "Signature");
    let claimed = TestCa::root("root").sub("root", |_| {});
    assert_breaks(check_root(&claimed.der), "AuthorityKeyId");
}

#[test]
fn a_root_with_something_behind_it_is_refused() {
    let mut der = TestCa::root("root").der;
    CheckedRoot::restore(&der).unwrap();
    der.push(0);
    assert_breaks(CheckedRoot::restore(&der), "Malformed");
}

#[test]
fn the_algorithm_must_be_the_same_inside_and_outside() {
    use rcgen::SigningKey as _;
    let root = TestCa::root("root");
    let (_, parsed) = x509_parser::parse_x509_certificate(&root.der).unwrap();
    let mut signed = parsed.tbs_certificate.as_ref().to_vec();
    // ecdsa-with-SHA256 becomes ecdsa-with-SHA384 in the signed part, which is signed anew.
    let sha256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let mut parts = signed.windows(8);
    let position = parts.position(|part| part == sha256).unwrap();
    signed[position + 7] = 3;
    let signature = root.key.sign(&signed).unwrap();
    let bits = [
        &[3, u8::try_from(signature.len() + 1).unwrap(), 0],
        &*signature,
    ]
    .concat();
    let outside = [&[0x30, 10, 6, 8], &sha256[..]].concat();
    let content = [signed, outside, bits].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let der = [&[0x30, 0x82], &length[..], &content].concat();
    assert_breaks(check_root(&der), "Malformed");
}

struct Asked {
    root: TestCa,
    sub: TestCa,
}

impl Asked {
    fn new(change: impl FnOnce(&mut CertificateParams)) -> Self {
        let root = TestCa::root("root");
        let sub = root.sub("sub", |sub| {
            sub.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            change(sub);
        });
        Self { root, sub }
    }

    fn check(&self) -> Result<CheckedIntermediate, Violation> {
        self.check_with(|_| {})
    }

    fn check_with(
        &self,
        change: impl FnOnce(&mut IntermediateExpectation<'_>),
    ) -> Result<CheckedIntermediate, Violation> {
        let spki = rcgen::PublicKeyData::subject_public_key_info(&self.sub.key);
        let root = self.root.checked();
        let mut expected = IntermediateExpectation {
            spki_der: &spki,
            issuer: root.issuer(),
            not_after: root.issuer().not_after(),
            policy: &CaPolicy::last_intermediate(),
            signature: SignatureCheck::Verify,
        };
        change(&mut expected);
        CheckedIntermediate::check(&self.sub.der, &expected, algorithms(), now())
    }
}

#[test]
fn a_good_intermediate_passes_and_comes_back_from_a_store() {
    let asked = Asked::new(|_| {});
    let checked = asked.check().unwrap();
    assert_eq!(checked.issuer().path_length(), Some(0));
    assert_eq!(
        CheckedIntermediate::restore(&asked.sub.der).unwrap(),
        checked
    );
}

#[test]
fn an_intermediate_that_is_not_what_was_asked_is_refused() {
    let other_length = Asked::new(|sub| sub.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_breaks(other_length.check(), "PathLength");
    let year = 86_400 * 365;
    Asked::new(|sub| set_validity(sub, -60, year))
        .check()
        .unwrap();
    let longer = Asked::new(|sub| set_validity(sub, -60, year + 1));
    assert_breaks(longer.check(), "OutlivesRequest");
    let outlives = longer.check_with(|asked| asked.not_after = Timestamp::from_unix(i64::MAX));
    assert_breaks(outlives, "OutlivesIssuer");
    let earlier = Asked::new(|sub| set_validity(sub, -86_401, 60));
    assert_breaks(earlier.check(), "StartsTooEarly");
    let asked = Asked::new(|_| {});
    let other_key = asked.check_with(|asked| asked.spki_der = &[0x30, 0]);
    assert_breaks(other_key, "KeyMismatch");
}

#[test]
fn an_intermediate_of_somebody_else_is_refused() {
    let mut asked = Asked::new(|_| {});
    asked.root = TestCa::root("other");
    assert_breaks(asked.check(), "IssuerName");
    asked.root = TestCa::root("root");
    assert_breaks(asked.check(), "AuthorityKeyId");

    // The right name and key identifier, and another key's signature.
    let id = |root: &mut CertificateParams| {
        root.key_identifier_method = KeyIdMethod::PreSpecified(vec![1; 20]);
    };
    let root = TestCa::root_with("root", id);
    let sub = TestCa::root_with("root", id).sub("sub", |sub| {
        sub.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let forged = Asked { root, sub };
    assert_breaks(forged.check(), "Signature");
    let unread = forged.check_with(|asked| asked.signature = SignatureCheck::ParseOnly);
    unread.unwrap();
}

#[test]
fn a_root_that_permits_no_intermediate_gets_none() {
    let mut asked = Asked::new(|_| {});
    asked.root = TestCa::root_with("root", |root| {
        root.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    asked.sub = asked.root.sub("sub", |sub| {
        sub.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    assert_breaks(asked.check(), "PathLength");
}
