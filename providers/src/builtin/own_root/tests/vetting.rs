//! What is refused up front, each mistake with its own words.

use rcgen::string::Ia5String;
use rcgen::{CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, NameConstraints, SanType};

use super::*;

#[tokio::test]
async fn a_root_that_grows_old_is_refused_at_first_and_kept_at_restarts() {
    let life = 1000 * HOUR;
    let own = Authority::root(KeySpec::EcP256, |params| lives(params, NOW, life));
    let options = json!({ "RootCert": own.pem() });
    let edge = NOW.saturating_add(life - 144 * HOUR);
    let provider = configure(options.clone(), Some(&own.key()), None, edge).await;
    let root = provider.unwrap().root(&root_request(1, false)).await;

    let late = edge.saturating_add(Duration::from_secs(1));
    let error = configure(options.clone(), Some(&own.key()), None, late).await;
    assert_eq!(
        error.err().unwrap().to_string(),
        "RootCert: \"CN=Acme Root\": it expires at 2027-02-11T16:00:00Z, which is too soon: with \
         leafs of 72h0m0s it must live until 2027-02-11T16:00:01Z at least"
    );
    let state = Some(root.unwrap().state);
    let restarted = configure(options, Some(&own.key()), state, late).await;
    restarted.unwrap().sign_leaf(&leaf_request()).await.unwrap();
}

/// Each mistake with its own words.
#[tokio::test]
async fn what_would_break_the_mesh_is_refused_up_front() {
    let good = Authority::root(KeySpec::EcP256, plain);
    let other = Authority::root(KeySpec::EcP256, plain);
    let issuing = good.under(plain);
    let (pem, key) = (good.pem(), good.key());
    let chain = [issuing.pem(), pem.clone()].concat();

    for (pem, key, wanted) in [
        (
            pem.clone(),
            None,
            "must provide a private key when providing a root cert",
        ),
        (
            pem.clone(),
            Some(other.key()),
            "PrivateKey does not belong to the first certificate in RootCert, \"CN=Acme Root\": \
             it is another key",
        ),
        (
            chain.clone(),
            Some(key.clone()),
            "PrivateKey does not belong to the first certificate in RootCert, \"CN=Acme \
             Issuing\": it is another key",
        ),
        (
            [pem.clone(), issuing.pem()].concat(),
            Some(key.clone()),
            "RootCert must hold one root, and at its end: certificate 1, \"CN=Acme Root\", is a \
             root and 1 more follow",
        ),
        (
            issuing.pem(),
            Some(issuing.key()),
            "RootCert must end with a root: the last certificate, \"CN=Acme Issuing\", was \
             issued by \"CN=Acme Root\", which is not there",
        ),
        (
            "canary".to_owned(),
            Some(key.clone()),
            "RootCert holds no certificate in PEM",
        ),
        (
            pem.clone(),
            Some("secret canary".to_owned()),
            "PrivateKey holds no private key in PEM, allowed are EC PRIVATE KEY, RSA PRIVATE KEY \
             and PRIVATE KEY",
        ),
        (
            pem.clone(),
            Some(
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\n-----END ENCRYPTED \
                 PRIVATE KEY-----\n"
                    .to_owned(),
            ),
            "PrivateKey is encrypted: give it without a pass phrase, it is sealed before it is \
             stored",
        ),
        (
            pem.clone(),
            Some(
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: \
                 AES-256-CBC,00\n\nY2FuYXJ5Y2FuYXJ5\n-----END RSA PRIVATE KEY-----\n"
                    .to_owned(),
            ),
            "PrivateKey is encrypted: give it without a pass phrase, it is sealed before it is \
             stored",
        ),
        (
            [key.clone(), pem.clone()].concat(),
            Some(key.clone()),
            "RootCert holds a private key: that belongs into PrivateKey alone, which is sealed \
             and never shown",
        ),
        (
            pem.clone(),
            Some(
                "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5Y2FuYXJ5\n-----END PRIVATE KEY-----\n"
                    .to_owned(),
            ),
            "PrivateKey is of a kind that cannot be used, allowed are EC P-256, P-384, P-521, \
             Ed25519 and RSA 2048 to 4096",
        ),
        (
            chancery_core::certificates_to_pem([&good.certificate.der()[..100]]),
            Some(key.clone()),
            "RootCert: certificate 1: this is no X.509 certificate: what is in it is malformed or \
             cut short",
        ),
        (
            pem.repeat(5),
            Some(key.clone()),
            "RootCert holds 5 certificates, allowed are 4",
        ),
    ] {
        assert_eq!(verdict(&pem, key.as_deref()).await, wanted);
    }
    assert_eq!(verdict(&pem, Some(&key)).await, "");
    assert_eq!(verdict(&chain, Some(&issuing.key())).await, "");
}

#[tokio::test]
async fn options_that_contradict_each_other_are_refused() {
    let good = Authority::root(KeySpec::EcP256, plain);
    let issuing = good.under(plain);
    let chain = [issuing.pem(), good.pem()].concat();
    for (options, key, wanted) in [
        (
            json!({ "ExternalIntermediate": true }),
            None,
            "ExternalIntermediate needs RootCert: the root under which the intermediate is signed",
        ),
        (
            json!({ "ExternalIntermediate": true, "RootCert": good.pem() }),
            Some(good.key()),
            "ExternalIntermediate is for a root whose key stays elsewhere: leave out PrivateKey, \
             or leave out ExternalIntermediate to sign with the key",
        ),
        (
            json!({ "ExternalIntermediate": true,
                    "RootCert": chain }),
            None,
            "RootCert must be the root alone with ExternalIntermediate, it holds 2 certificates",
        ),
        // Consul looks at the root before the durations.
        (
            json!({ "root_cert": good.pem(), "LeafCertTTL": "1s" }),
            None,
            "must provide a private key when providing a root cert",
        ),
    ] {
        let error = configure(options, key.as_deref(), None, NOW).await;
        let error = error.err().unwrap();
        assert_eq!(error.to_string(), wanted);
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
    }
}

/// A root that breaks one rule, and what is said of it.
#[tokio::test]
async fn every_rule_for_roots_has_its_own_words() {
    type Change = fn(&mut CertificateParams);
    let subtree = |uri: &str| {
        // A URI constraint, which rcgen has no name for.
        let host = uri.as_bytes();
        let length = u8::try_from(host.len()).unwrap();
        let general = [&[0x86, length], host].concat();
        let one = [&[0x30, length + 2], &general[..]].concat();
        let tree = [&[0xa0, length + 4], &one[..]].concat();
        [&[0x30, length + 6], &tree[..]].concat()
    };
    let uri_constraint = move |params: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(&[2, 5, 29, 30], subtree("acme"));
        extension.set_criticality(true);
        params.custom_extensions.push(extension);
    };
    let constrained = Authority::root(KeySpec::EcP256, uri_constraint);
    let said = verdict(&constrained.pem(), Some(&constrained.key())).await;
    assert!(said.contains("name constraints are about URIs"), "{said}");

    let cases: [(Change, &str); 11] = [
        (|params| params.is_ca = IsCa::ExplicitNoCa, "is no CA"),
        (
            |params| params.key_usages = vec![KeyUsagePurpose::CrlSign],
            "\"CN=Acme Root\": key usage is cRLSign, needed is keyCertSign",
        ),
        (
            |params| lives(params, NOW.saturating_sub(9 * DAY), 8 * DAY),
            "expired at 2026-12-31T00:00:00Z, it is 2027-01-01T00:00:00Z",
        ),
        (
            |params| lives(params, NOW.saturating_add(DAY), 900 * DAY),
            "2027-01-02T00:00:00Z",
        ),
        (
            |params| lives(params, NOW, 144 * HOUR - Duration::from_secs(1)),
            "it expires at 2027-01-06T23:59:59Z, which is too soon: with leafs of 72h0m0s it must \
             live until 2027-01-07T00:00:00Z at least",
        ),
        (
            |params| {
                let uri = Ia5String::try_from("spiffe://other.example").unwrap();
                params.subject_alt_names = vec![SanType::URI(uri)];
            },
            "it is for \"spiffe://other.example\", this trust domain is \
             \"spiffe://11111111-2222-3333-4444-555555555555.consul\"",
        ),
        (
            |params| {
                let mut name = DistinguishedName::new();
                name.push(DnType::OrganizationName, "Acme");
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: Vec::new(),
                    excluded_subtrees: vec![GeneralSubtree::DirectoryName(name)],
                });
            },
            "its name constraints are about directory names",
        ),
        (
            |params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            },
            "\"CN=Acme Root\": it has extended key usages, and clientAuth and serverAuth are not \
             both among them",
        ),
        (
            |params| {
                let mut odd = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                odd.set_criticality(true);
                params.custom_extensions.push(odd);
            },
            "critical extension 1.2.3.4 is unknown",
        ),
        (
            |params| params.distinguished_name = DistinguishedName::new(),
            "subject of a CA is empty",
        ),
        (
            |params| {
                let uri = Ia5String::try_from("https://pki.acme.example").unwrap();
                let own = Ia5String::try_from(format!("spiffe://{DOMAIN}")).unwrap();
                params.subject_alt_names = vec![SanType::URI(uri), SanType::URI(own)];
                params.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("acme.example".into())],
                    excluded_subtrees: Vec::new(),
                });
            },
            "",
        ),
    ];
    for (place, (change, wanted)) in cases.into_iter().enumerate() {
        let root = Authority::root(KeySpec::EcP256, change);
        let said = verdict(&root.pem(), Some(&root.key())).await;
        assert!(said.contains(wanted), "{place}: {said}");
        assert_eq!(said.is_empty(), wanted.is_empty(), "{place}: {said}");
    }
}

#[tokio::test]
async fn every_rule_for_what_is_between_has_its_own_words() {
    let namesake = Authority::root(KeySpec::EcP256, plain);
    let narrow = Authority::root(KeySpec::EcP256, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    assert_eq!(verdict(&narrow.pem(), Some(&narrow.key())).await, "");
    let root = Authority::root(KeySpec::EcP256, plain);
    let forged = root.under(plain);
    let cases = [
        (
            narrow.under(plain),
            &narrow,
            "its path length is 0, but 1 CA is to stand below it",
        ),
        (root.under(plain), &namesake, "authority key identifier is"),
        (
            root.under(|params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature]),
            &root,
            "\"CN=Acme Issuing\": key usage is digitalSignature, needed is keyCertSign",
        ),
        (
            root.under(|params| lives(params, NOW, 100 * HOUR)),
            &root,
            "\"CN=Acme Issuing\": it expires at 2027-01-05T04:00:00Z, which is too soon",
        ),
        (
            root.under(|params| params.not_after = root.params.not_after + DAY),
            &root,
            "\"CN=Acme Issuing\": certificate ends at 2036-12-29T00:00:00Z, its issuer",
        ),
        (
            root.under(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::EmailProtection];
            }),
            &root,
            "clientAuth and serverAuth are not both among them",
        ),
        (forged, &root, ""),
    ];
    for (issuing, root, wanted) in cases {
        let pem = [issuing.pem(), root.pem()].concat();
        let said = verdict(&pem, Some(&issuing.key())).await;
        assert!(said.contains(wanted), "{wanted}: {said}");
        assert_eq!(said.is_empty(), wanted.is_empty(), "{said}");
    }
    // The same with a signature that is another's: the last byte but the encoding.
    let issuing = root.under(plain);
    let mut der = issuing.certificate.der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    let pem = chancery_core::certificates_to_pem([der]) + &root.pem();
    let said = verdict(&pem, Some(&issuing.key())).await;
    assert!(said.contains("signature on \"CN=Acme Issuing\""), "{said}");
}

#[tokio::test]
async fn a_root_with_path_length_zero_signs_leafs_and_no_cas() {
    let root = Authority::root(KeySpec::EcP256, |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let options = json!({ "RootCert": root.pem() });
    let provider = configure(options, Some(&root.key()), None, NOW)
        .await
        .unwrap();
    let capabilities = provider.describe().capabilities;
    assert!(!capabilities.cross_sign && !capabilities.sign_intermediate);
    assert_signs(&provider, root.certificate.der()).await;
    let error = provider.cross_sign(&cross(root.certificate.der())).await;
    assert!(error.unwrap_err().to_string().contains("path length is 0"));
    let options = json!({ "RootCert": root.pem(), "ExternalIntermediate": true });
    let error = configure(options, None, None, NOW).await.err().unwrap();
    assert!(
        error.to_string().contains("its path length is 0"),
        "{error}"
    );
}
