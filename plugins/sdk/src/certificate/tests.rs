use super::*;
use crate::testing::{
    self, Host, NOW, Nothing, cross_sign_request, intermediate_request, leaf_request, root_request,
    verify,
};
use crate::{ErrorKind, Key, KeyType, RootRequest, Validity, keys};

fn within(act: impl FnOnce()) {
    Host::<Nothing>::new().within(act);
}

fn made(name: &str, kind: KeyType, request: &RootRequest) -> Issuer {
    let key = keys::generate(name, kind).unwrap();
    let root = root(&key, &request.template).unwrap();
    Issuer::new(root, key).unwrap()
}

fn issuer() -> Issuer {
    made("root", KeyType::EcP256, &root_request(1))
}

#[test]
fn a_root_signs_itself_with_every_kind_of_key_and_a_leaf_too() {
    within(|| {
        for kind in KeyType::ALL {
            if kind == KeyType::Rsa4096 {
                continue; // As RSA 2048, and slow.
            }
            let issuer = made(&format!("{kind:?}"), kind, &root_request(1));
            verify(issuer.certificate(), issuer.certificate()).unwrap();
            let chain = issuer.leaf(&leaf_request("web")).unwrap();
            assert_eq!(chain.len(), 1, "the root is left out");
            verify(&chain[0], issuer.certificate()).unwrap();
        }
    });
}

#[test]
fn what_is_written_is_read_again() {
    within(|| {
        let issuer = issuer();
        let template = root_request(1).template;
        let facts = issuer.certificate().read().unwrap();
        assert_eq!(facts.serial, template.serial);
        assert_eq!(facts.validity, template.validity);
        assert_eq!((facts.ca, facts.path_length), (true, None));
        assert!(facts.is_self_issued());
        let id = key_id(facts.public_key);
        assert_eq!(facts.subject_key_id, Some(&id[..]));
        assert_eq!(facts.authority_key_id, Some(&id[..]));
        assert!(facts.is_valid_at(NOW));
        assert!(!facts.is_valid_at(facts.validity.not_after + 1));

        let request = leaf_request("web");
        let leaf = issuer.leaf(&request).unwrap().remove(0);
        let leaf = leaf.read().unwrap();
        assert_eq!(leaf.public_key, request.public_key);
        assert_eq!((leaf.ca, leaf.path_length), (false, None));
        assert_eq!(leaf.validity, request.template.validity);
    });
}

#[test]
fn an_intermediate_links_its_leafs_to_the_root() {
    within(|| {
        let root = issuer();
        let key = keys::generate("intermediate", KeyType::EcP384).unwrap();
        let template = intermediate_request(5).template;
        let signed = root.intermediate(&key.public_key(), &template).unwrap();
        verify(&signed, root.certificate()).unwrap();
        assert_eq!(signed.read().unwrap().path_length, Some(0));
        let issuer = Issuer::new(signed.clone(), key).unwrap();
        let chain = issuer.leaf(&leaf_request("web")).unwrap();
        assert_eq!(chain[1..], [signed]);
        verify(&chain[0], &chain[1]).unwrap();
        // Its path length is 0.
        let request = cross_sign_request(root.certificate());
        assert_eq!(
            issuer.cross_sign(&request).unwrap_err().kind(),
            ErrorKind::Refused
        );
        // A root among the links is left out.
        let issuer = issuer.with_links(vec![root.certificate().clone()]).unwrap();
        assert_eq!(issuer.leaf(&leaf_request("web")).unwrap().len(), 2);
    });
}

#[test]
fn a_root_for_another_to_sign_says_what_a_cross_signed_one_does_but_who_signed_it() {
    within(|| {
        let (old, new) = (issuer(), made("new", KeyType::Ed25519, &root_request(2)));
        let request = cross_sign_request(new.certificate());
        let signed = old.cross_sign(&request).unwrap();
        let unsigned = unsigned_cross(&request, old.certificate()).unwrap();
        let (signed, said) = (signed.read().unwrap(), unsigned.read().unwrap());
        let root = new.certificate().read().unwrap();
        assert_eq!(said.issuer, root.subject);
        assert_eq!(said.signature_algorithm, root.signature_algorithm);
        let same = Facts {
            issuer: signed.issuer,
            signature_algorithm: signed.signature_algorithm,
            ..said
        };
        assert_eq!(same, signed);
        verify(&unsigned, old.certificate()).unwrap_err();

        let leaf = old.leaf(&leaf_request("web")).unwrap().remove(0);
        unsigned_cross(&cross_sign_request(&leaf), old.certificate()).unwrap_err();
        unsigned_cross(&request, &leaf).unwrap_err();
    });
}

#[test]
fn a_cross_signed_root_keeps_name_key_and_extensions_to_the_byte() {
    within(|| {
        let (old, new) = (issuer(), made("new", KeyType::Ed25519, &root_request(2)));
        for foreign in [new.certificate(), &multi_name()] {
            let signed = old.cross_sign(&cross_sign_request(foreign)).unwrap();
            verify(&signed, old.certificate()).unwrap();
            let (before, after) = (foreign.read().unwrap(), signed.read().unwrap());
            assert_eq!(after.subject, before.subject);
            assert_eq!(after.public_key, before.public_key);
            assert_eq!(after.subject_key_id, before.subject_key_id);
            let mut reader = der::Reader::new(before.extensions);
            let mut kept = 0;
            while let Some(extension) = extensions::read(&mut reader) {
                if extension.oid != extensions::AUTHORITY_KEY_ID {
                    let mut windows = after.extensions.windows(extension.raw.len());
                    assert!(windows.any(|window| window == extension.raw));
                    kept += 1;
                }
            }
            assert!(kept >= 3, "{kept}");
        }
    });
}

/// A root with several attributes in one set of its name.
fn multi_name() -> Certificate {
    Certificate::from_pem(include_str!("testdata/multi-name.pem"))
        .unwrap()
        .remove(0)
}

#[test]
fn a_leaf_is_no_issuer_and_cannot_be_cross_signed() {
    within(|| {
        let root = issuer();
        let key = keys::generate("leaf", KeyType::EcP256).unwrap();
        let mut request = leaf_request("web");
        request.public_key = key.public_key();
        let leaf = root.leaf(&request).unwrap().remove(0);
        let crossed = root.cross_sign(&cross_sign_request(&leaf)).unwrap_err();
        assert_eq!(crossed.message(), "the certificate is no CA");
        assert_eq!(
            Issuer::new(leaf, key).unwrap_err().message(),
            "the certificate is no CA"
        );
    });
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    within(|| {
        let root = issuer().certificate().clone();
        let other: Key = keys::generate("other", KeyType::EcP256).unwrap();
        let error = Issuer::new(root, other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    });
}

#[test]
fn no_life_is_longer_than_the_issuers() {
    within(|| {
        let mut request = root_request(1);
        request.template.validity = Validity {
            not_before: NOW,
            not_after: NOW + 7200,
        };
        let issuer = made("root", KeyType::EcP256, &request);
        let leaf = issuer.leaf(&leaf_request("web")).unwrap().remove(0);
        assert_eq!(leaf.read().unwrap().validity, request.template.validity);
        let mut late = leaf_request("web");
        late.template.validity.not_before = NOW + 7200;
        assert_eq!(issuer.leaf(&late).unwrap_err().kind(), ErrorKind::Refused);
        late.template.validity.not_before = NOW + 7199;
        issuer.leaf(&late).unwrap();
    });
}

#[test]
fn what_cannot_be_written_is_refused() {
    within(|| {
        let issuer = issuer();
        let good = leaf_request("web");
        let mut bad = [good.clone(), good.clone(), good.clone(), good.clone(), good];
        bad[0].public_key = b"no key".to_vec();
        bad[1].template.uri = "spiffe://é".to_owned();
        bad[2].template.serial = vec![1; 21];
        bad[3].template.serial = Vec::new();
        bad[4].public_key.push(0);
        for request in bad {
            assert_eq!(
                issuer.leaf(&request).unwrap_err().kind(),
                ErrorKind::Refused
            );
        }
    });
}

#[test]
fn a_certificate_that_is_cut_off_anywhere_is_none() {
    within(|| {
        let root = issuer().certificate().clone();
        for length in 0..root.der().len() {
            let cut = Certificate::from_der(root.der()[..length].to_vec());
            assert!(cut.read().is_err(), "{length}");
        }
        let mut longer = root.into_der();
        longer.push(0);
        assert!(Certificate::from_der(longer).read().is_err());
    });
}

#[test]
fn a_request_names_what_was_asked() {
    let subject = testing::Subject::new(KeyType::EcP256, "spiffe://example");
    let csr = csr_pem(&subject.csr);
    assert!(csr.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
    assert!(
        subject
            .csr
            .windows(16)
            .any(|part| part == b"spiffe://example")
    );
}
