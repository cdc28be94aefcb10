//! What signs, for whom, and what it still knows after a restart.

use rcgen::{GeneralSubtree, NameConstraints};
use rustls_pki_types::CertificateSigningRequestDer;

use super::*;
use crate::builtin::tests::root_csr::assert_like;
use crate::{AcceptIntermediateRequest, IntermediateAnswer, SignIntermediateRequest};

#[tokio::test]
async fn a_root_and_its_key_sign_leafs_and_cas() {
    for kind in keys::KINDS {
        let own = Authority::root(kind, plain);
        let options = json!({ "root_cert": own.pem() });
        let provider = configure(options.clone(), Some(&own.key()), None, NOW).await;
        let provider = provider.unwrap();
        let answer = provider.root(&root_request(1, false)).await.unwrap();
        assert_eq!(&answer.certificate, own.certificate.der(), "{kind}");
        assert_eq!(assert_signs(&provider, &answer.certificate).await.len(), 1);

        let capabilities = provider.describe().capabilities;
        assert!(capabilities.cross_sign && capabilities.sign_intermediate);
        assert!(!capabilities.own_intermediate);
        let next = configure(json!({}), None, None, NOW).await.unwrap();
        let next_root = next.root(&root_request(2, false)).await.unwrap();
        let crossed = provider.cross_sign(&cross(&next_root.certificate)).await;
        let mut chain = assert_signs(&next, &next_root.certificate).await;
        chain.push(crossed.unwrap());
        assert_verifies(&chain, &answer.certificate);

        // After a restart it signs before anybody asks for the root. The key is in no state.
        let state = String::from_utf8_lossy(answer.state.expose()).into_owned();
        assert!(!state.contains("pkcs8"), "{state}");
        let restarted = configure(options, Some(&own.key()), Some(answer.state), NOW).await;
        assert_signs(&restarted.unwrap(), &answer.certificate).await;
    }
}

#[tokio::test]
async fn a_key_alone_gets_a_root_made_for_it() {
    for kind in [KeySpec::EcP521, KeySpec::Rsa2048] {
        let own = Authority::root(kind, plain);
        let key = own.key();
        let provider = configure(json!({}), Some(&key), None, NOW).await.unwrap();
        let answer = provider.root(&root_request(1, false)).await.unwrap();
        let root = CheckedRoot::restore(&answer.certificate).unwrap();
        assert_eq!(root.issuer().spki_der(), own.key.subject_public_key_info());
        assert_signs(&provider, &answer.certificate).await;

        let restarted = configure(json!({}), Some(&key), Some(answer.state), NOW).await;
        let restarted = restarted.unwrap();
        let again = restarted.root(&root_request(2, false)).await.unwrap();
        assert_eq!(again.certificate, answer.certificate);
        // Another root with the same key is not what a rotation is for.
        let error = restarted.root(&root_request(3, true)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains("change PrivateKey"), "{error}");
        let again = restarted.root(&root_request(1, true)).await.unwrap();
        assert_eq!(again.certificate, answer.certificate);
    }
}

#[tokio::test]
async fn under_a_chain_the_intermediate_signs_and_the_root_is_only_trusted() {
    let root = Authority::root(KeySpec::EcP384, plain);
    let between = root.under(|params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "Acme Policy");
    });
    let issuing = between.under(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    });
    let pem = [issuing.pem(), between.pem(), root.pem()].concat();
    let options = json!({ "RootCert": pem });
    let provider = configure(options.clone(), Some(&issuing.key()), None, NOW).await;
    let provider = provider.unwrap();
    let answer = provider.root(&root_request(1, false)).await.unwrap();
    assert_eq!(&answer.certificate, root.certificate.der());
    let chain = assert_signs(&provider, &answer.certificate).await;
    let links = [issuing.certificate.der(), between.certificate.der()];
    assert_eq!(chain[1..].iter().collect::<Vec<_>>(), links);

    let capabilities = provider.describe().capabilities;
    assert!(capabilities.own_intermediate && !capabilities.external_intermediate);
    assert!(!capabilities.cross_sign && !capabilities.sign_intermediate);
    let error = provider.cross_sign(&cross(&answer.certificate)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
    let csr = CertificateSigningRequestDer::from(leaf_request().csr.to_vec());
    let request = SignIntermediateRequest {
        public_key: leaf_request().public_key,
        csr,
        template: intermediate_template(),
    };
    let error = provider.sign_intermediate(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);

    let ready = provider.intermediate(&intermediate_request(2, false)).await;
    let IntermediateAnswer::Ready { chain, state } = ready.unwrap() else {
        panic!("it is in RootCert");
    };
    assert_eq!(chain.iter().collect::<Vec<_>>(), links);
    let error = provider.intermediate(&intermediate_request(2, true)).await;
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("put a newer one"), "{error}");
    let restarted = configure(options, Some(&issuing.key()), Some(state), NOW).await;
    assert_signs(&restarted.unwrap(), &answer.certificate).await;
}

/// Made by OpenSSL 3: `DC=corp, DC=example, O=Acme + OU=PKI, CN=Root of ours`, and a key whose
/// file begins with the curve's parameters.
#[tokio::test]
async fn names_of_any_shape_are_kept_to_the_byte() {
    let key = include_str!("../../testdata/multi-name.key");
    let pem = include_str!("../../testdata/multi-name.pem");
    let provider = configure(json!({ "RootCert": pem }), Some(key), None, NOW).await;
    let provider = provider.unwrap();
    let root = provider.root(&root_request(1, false)).await.unwrap();
    assert_signs(&provider, &root.certificate).await;

    // It crosses over to another root and another crosses over to it.
    let other = configure(json!({}), None, None, NOW).await.unwrap();
    let other_root = other.root(&root_request(2, false)).await.unwrap();
    for (old, old_root, new, new_root) in [
        (&provider, &root, &other, &other_root),
        (&other, &other_root, &provider, &root),
    ] {
        let crossed = old.cross_sign(&cross(&new_root.certificate)).await.unwrap();
        let mut chain = assert_signs(new, &new_root.certificate).await;
        chain.push(crossed);
        assert_verifies(&chain, &old_root.certificate);
    }
}

#[tokio::test]
async fn keys_of_all_three_forms_are_read() {
    let pkcs8 = Authority::root(KeySpec::EcP256, plain);
    assert_eq!(verdict(&pkcs8.pem(), Some(&pkcs8.key())).await, "");
    // What stands before and after does not matter.
    let padded = format!("# my key\n{}\n{}\n", pkcs8.pem(), pkcs8.key());
    assert_eq!(verdict(&pkcs8.pem(), Some(&padded)).await, "");
    let sec1 = include_str!("../../testdata/multi-name.key");
    assert!(sec1.contains("EC PRIVATE KEY"));
    assert_eq!(
        verdict(include_str!("../../testdata/multi-name.pem"), Some(sec1)).await,
        ""
    );
    let pkcs1 = include_str!("../../testdata/rsa-3072.key");
    assert!(pkcs1.contains("RSA PRIVATE KEY"));
    let provider = configure(json!({}), Some(pkcs1), None, NOW).await.unwrap();
    let root = provider.root(&root_request(1, false)).await.unwrap();
    let kind = CheckedRoot::restore(&root.certificate).unwrap();
    assert_eq!(kind.issuer().key().to_string(), "RSA 3072");
    let restarted = configure(json!({}), Some(pkcs1), Some(root.state), NOW).await;
    assert_signs(&restarted.unwrap(), &root.certificate).await;
}

#[tokio::test]
async fn cross_signing_can_be_switched_off() {
    let provider = configure(json!({ "DisableCrossSigning": true }), None, None, NOW).await;
    let provider = provider.unwrap();
    let root = provider.root(&root_request(1, false)).await.unwrap();
    assert!(!provider.describe().capabilities.cross_sign);
    let error = provider.cross_sign(&cross(&root.certificate)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Refused);
}

/// The options of another epoch decide whether the root stays.
#[tokio::test]
async fn another_root_in_the_options_is_another_root() {
    let (first, second) = (
        Authority::root(KeySpec::EcP256, plain),
        Authority::root(KeySpec::EcP256, plain),
    );
    let made = configure(json!({}), None, None, NOW).await.unwrap();
    let made = made.root(&root_request(1, false)).await.unwrap();
    let mut state = made.state.clone();
    for (options, key, root) in [
        (
            json!({ "RootCert": first.pem() }),
            Some(first.key()),
            Some(&first),
        ),
        (
            json!({ "RootCert": second.pem() }),
            Some(second.key()),
            Some(&second),
        ),
        (json!({}), Some(second.key()), None),
        (json!({}), None, None),
    ] {
        let provider = configure(options, key.as_deref(), Some(state), NOW)
            .await
            .unwrap();
        let answer = provider.root(&root_request(2, false)).await.unwrap();
        let wanted = root.map(|root| root.certificate.der());
        assert!(wanted.is_none_or(|wanted| *wanted == answer.certificate));
        assert_ne!(answer.certificate, made.certificate);
        assert_signs(&provider, &answer.certificate).await;
        state = answer.state;
        if root.is_some() {
            let error = provider.root(&root_request(3, true)).await.unwrap_err();
            assert!(error.to_string().contains("change RootCert"), "{error}");
        }
    }
}

#[tokio::test]
async fn an_offline_root_signs_a_csr_by_hand() {
    let root = Authority::root(KeySpec::EcP256, plain);
    let options = json!({ "RootCert": root.pem(), "external_intermediate": true });
    let provider = configure(options.clone(), None, None, NOW).await.unwrap();
    let answer = provider.root(&root_request(1, false)).await.unwrap();
    assert_eq!(&answer.certificate, root.certificate.der());
    let capabilities = provider.describe().capabilities;
    assert!(capabilities.own_intermediate && capabilities.external_intermediate);
    assert!(!capabilities.cross_sign && !capabilities.sign_intermediate);
    let error = provider.sign_leaf(&leaf_request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(
        error.to_string().contains("has not been signed yet"),
        "{error}"
    );

    let csr = |answer| match answer {
        Ok(IntermediateAnswer::Csr { csr, state }) => (csr, state),
        other => panic!("its signature is awaited: {other:?}"),
    };
    let (request, state) = csr(provider.intermediate(&intermediate_request(2, false)).await);
    // The signature may take days.
    let provider = configure(options.clone(), None, Some(state), NOW)
        .await
        .unwrap();
    let (again, _) = csr(provider.intermediate(&intermediate_request(2, false)).await);
    assert_eq!(again, request);

    let sign = |by: &Authority, change: fn(&mut CertificateParams)| {
        let mut params = params("Mesh Issuing", |_| {});
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.not_after = by.params.not_after;
        change(&mut params);
        let (_, parsed) = x509_parser::prelude::FromDer::from_der(&request).unwrap();
        let parsed: x509_parser::certification_request::X509CertificationRequest<'_> = parsed;
        let spki = parsed.certification_request_info.subject_pki.raw;
        let key = rcgen::SubjectPublicKeyInfo::from_der(spki).unwrap();
        let issuer = rcgen::Issuer::from_params(&by.params, &by.key);
        params.signed_by(&key, &issuer).unwrap().der().clone()
    };
    let accept = |chain| AcceptIntermediateRequest { chain };
    let stranger = Authority::root(KeySpec::EcP256, |params| {
        params
            .distinguished_name
            .push(DnType::CommonName, "Stranger");
    });
    let namesake = Authority::root(KeySpec::EcP256, plain);
    for (certificate, reason) in [
        (sign(&stranger, |_| {}), "issuer is"),
        (sign(&namesake, |_| {}), "authority key identifier is"),
        (
            sign(&root, |params| lives(params, NOW, 143 * HOUR)),
            "too soon",
        ),
        (
            sign(&root, |params| params.is_ca = IsCa::ExplicitNoCa),
            "is no CA",
        ),
    ] {
        let error = provider
            .accept_intermediate(&accept(vec![certificate]))
            .await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(error.to_string().contains(reason), "{reason}: {error}");
    }
    let signed = sign(&root, |_| {});
    let chain = vec![signed.clone(), root.certificate.der().clone()];
    let state = provider.accept_intermediate(&accept(chain)).await.unwrap();
    let restarted = configure(options, None, Some(state), NOW).await.unwrap();
    for provider in [provider, restarted] {
        let chain = assert_signs(&provider, &answer.certificate).await;
        assert_eq!(chain[1..], *std::slice::from_ref(&signed));
        let ready = provider.intermediate(&intermediate_request(3, false)).await;
        assert!(matches!(ready, Ok(IntermediateAnswer::Ready { .. })));
        let renewed = provider.intermediate(&intermediate_request(3, true)).await;
        assert_ne!(csr(renewed).0, request);
    }
}

/// Whatever its name, its extensions and its key.
#[tokio::test]
async fn a_given_root_asks_for_what_it_has_if_its_key_is_here() {
    let constrained = Authority::root(KeySpec::Rsa2048, |params| {
        let name = GeneralSubtree::DnsName("internal".into());
        params.name_constraints = Some(NameConstraints {
            permitted_subtrees: vec![name],
            excluded_subtrees: Vec::new(),
        });
    });
    let many_names = include_str!("../../testdata/multi-name.pem").to_owned();
    let its_key = include_str!("../../testdata/multi-name.key").to_owned();
    for (pem, key) in [
        (constrained.pem(), constrained.key()),
        (many_names, its_key),
    ] {
        let options = json!({ "RootCert": pem });
        let provider = configure(options, Some(&key), None, NOW).await.unwrap();
        let root = provider.root(&root_request(1, false)).await.unwrap();
        assert!(provider.describe().capabilities.root_csr);
        let csr = provider.root_csr().await.unwrap().unwrap();
        assert_like(&csr, &root.certificate);
    }

    let root = Authority::root(KeySpec::EcP256, plain);
    let issuing = root.under(plain);
    let offline = json!({ "RootCert": root.pem(), "ExternalIntermediate": true });
    let chain = json!({ "RootCert": issuing.pem() + &root.pem() });
    for (options, key) in [(offline, None), (chain, Some(issuing.key()))] {
        let provider = configure(options, key.as_deref(), None, NOW).await.unwrap();
        provider.root(&root_request(1, false)).await.unwrap();
        assert!(!provider.describe().capabilities.root_csr);
        assert_eq!(provider.root_csr().await.unwrap(), None);
    }
}
