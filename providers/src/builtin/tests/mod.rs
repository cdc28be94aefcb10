pub(super) mod root_csr;
mod rotations;

use std::time::Duration;

use chancery_core::{Datacenter, KeyKind, KeyUsages, OperationId, Serial, Timestamp, TrustDomain};
use rustls_pki_types::{CertificateSigningRequestDer, SubjectPublicKeyInfoDer};
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::*;
use crate::{
    CleanUpScope, ErrorKind, ExtendedKeyUsage, IntermediateTemplate, KeySpec, LeafTemplate,
    RootTemplate, Validity, split_secrets,
};

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
const START: i64 = 1_795_527_612;
const HOUR: u64 = 3600;

fn validity(hours: u64) -> Validity {
    let start = Timestamp::from_unix(START);
    Validity {
        not_before: start,
        not_after: start.saturating_add(Duration::from_secs(hours * HOUR)),
    }
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number]).unwrap()
}

fn configuration(state: Option<Secret>) -> ConfigureRequest {
    let (options, secrets) = split_secrets(serde_json::Map::new());
    ConfigureRequest {
        trust_domain: TrustDomain::parse(DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options,
        secrets,
        state,
    }
}

async fn configured(state: Option<Secret>) -> BuiltIn {
    let mut provider = BuiltIn::new();
    provider.configure(&configuration(state)).await.unwrap();
    provider
}

async fn configured_with(options: serde_json::Value, state: Option<Secret>) -> BuiltIn {
    let serde_json::Value::Object(options) = options else {
        panic!("options are an object");
    };
    let mut provider = BuiltIn::new();
    let request = ConfigureRequest {
        options,
        ..configuration(state)
    };
    provider.configure(&request).await.unwrap();
    provider
}

/// A root request that wants another root than the one there is.
fn renewed_root(operation: u8) -> RootRequest {
    RootRequest {
        operation: OperationId::from_bytes([operation; 16]),
        renew: true,
        ..root_request(KeySpec::EcP256)
    }
}

fn root_request(key: KeySpec) -> RootRequest {
    RootRequest {
        operation: OperationId::from_bytes([1; 16]),
        renew: false,
        template: RootTemplate {
            common_name: "pri-abcd1234.consul.ca.11111111.consul".into(),
            uri: format!("spiffe://{DOMAIN}"),
            serial: serial(7),
            key,
            validity: validity(87_600),
        },
    }
}

fn leaf_request(key: KeySpec, hours: u64) -> LeafRequest {
    let key = keys::generate_now(key).unwrap();
    let csr = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .unwrap();
    LeafRequest {
        csr: csr.der().clone(),
        public_key: rcgen::PublicKeyData::subject_public_key_info(&key).into(),
        template: LeafTemplate {
            common_name: "web.svc.default.11111111.consul".into(),
            uri: format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web"),
            serial: serial(9),
            validity: validity(hours),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

fn intermediate_template(hours: u64) -> IntermediateTemplate {
    IntermediateTemplate {
        common_name: "sec-abcd1234.consul.ca.11111111.consul".into(),
        uri: format!("spiffe://{DOMAIN}"),
        serial: serial(8),
        validity: validity(hours),
        path_length: 0,
    }
}

fn parsed<'a>(certificate: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    let (rest, parsed) = X509Certificate::from_der(certificate).unwrap();
    assert!(rest.is_empty());
    parsed
}

fn assert_signed(certificate: &CertificateDer<'_>, issuer: &CertificateDer<'_>) {
    let (certificate, issuer) = (parsed(certificate), parsed(issuer));
    assert_eq!(certificate.issuer().as_raw(), issuer.subject().as_raw());
    let algorithms =
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms;
    let verified = algorithms.all.iter().any(|algorithm| {
        algorithm
            .verify_signature(
                &issuer.public_key().subject_public_key.data,
                certificate.tbs_certificate.as_ref(),
                &certificate.signature_value.data,
            )
            .is_ok()
    });
    assert!(verified, "the issuer's key verifies the signature");
}

fn key_ids(certificate: &CertificateDer<'_>) -> (Vec<u8>, Vec<u8>) {
    let certificate = parsed(certificate);
    let mut ids = (Vec::new(), Vec::new());
    for extension in certificate.extensions() {
        match extension.parsed_extension() {
            ParsedExtension::SubjectKeyIdentifier(id) => ids.0 = id.0.to_vec(),
            ParsedExtension::AuthorityKeyIdentifier(id) => {
                ids.1 = id.key_identifier.as_ref().unwrap().0.to_vec();
            }
            _ => {}
        }
    }
    ids
}

fn uris<'a>(certificate: &'a X509Certificate<'a>) -> Vec<&'a str> {
    let names = certificate.subject_alternative_name().unwrap().unwrap();
    assert!(!names.critical);
    names
        .value
        .general_names
        .iter()
        .map(|name| match name {
            GeneralName::URI(uri) => *uri,
            other => panic!("{other} is no URI"),
        })
        .collect()
}

#[tokio::test]
async fn a_root_reads_as_consuls_does() {
    let provider = configured(None).await;
    let answer = provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let root = parsed(&answer.certificate);
    assert_eq!(
        root.subject().to_string(),
        "CN=pri-abcd1234.consul.ca.11111111.consul"
    );
    assert_eq!(root.raw_serial(), [7]);
    assert_eq!(uris(&root), [format!("spiffe://{DOMAIN}")]);
    let constraints = root.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && constraints.value.ca);
    assert_eq!(constraints.value.path_len_constraint, None);
    let usage = root.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    // digitalSignature, keyCertSign, cRLSign
    assert_eq!(usage.value.flags, 1 | 1 << 5 | 1 << 6);
    assert_eq!(root.validity().not_before.timestamp(), START);
    assert_eq!(
        root.validity().not_after.timestamp(),
        validity(87_600).not_after.unix_seconds()
    );
    let spki = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, root.public_key().raw);
    let (subject, authority) = key_ids(&answer.certificate);
    assert_eq!(subject, spki.as_ref());
    assert_eq!(authority, subject);
    assert_signed(&answer.certificate, &answer.certificate);
}

#[tokio::test]
async fn a_leaf_says_what_the_template_says() {
    let provider = configured(None).await;
    let root = provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let request = leaf_request(KeySpec::EcP256, 72);
    let chain = provider.sign_leaf(&request).await.unwrap();
    assert_eq!(chain.len(), 1, "the root stays out of the chain");
    let leaf = parsed(&chain[0]);
    assert_eq!(
        leaf.subject().to_string(),
        "CN=web.svc.default.11111111.consul"
    );
    assert_eq!(leaf.public_key().raw, request.public_key.as_ref());
    assert_eq!(uris(&leaf), [request.template.uri.as_str()]);
    let constraints = leaf.basic_constraints().unwrap().unwrap();
    assert!(constraints.critical && !constraints.value.ca);
    let usage = leaf.key_usage().unwrap().unwrap();
    assert!(usage.critical);
    assert_eq!(usage.value.flags, 1);
    let purposes = leaf.extended_key_usage().unwrap().unwrap();
    assert!(!purposes.critical && purposes.value.client_auth && purposes.value.server_auth);
    assert_eq!(leaf.validity().not_before.timestamp(), START);
    let (subject, authority) = key_ids(&chain[0]);
    assert_eq!(subject.len(), 32);
    assert_eq!(authority, key_ids(&root.certificate).0);
    assert_signed(&chain[0], &root.certificate);
}

#[tokio::test]
async fn every_kind_of_key_can_be_root_and_leaf() {
    for kind in keys::KINDS {
        let provider = configured(None).await;
        let root = provider.root(&root_request(kind)).await.unwrap();
        assert_signed(&root.certificate, &root.certificate);
        for leaf in [KeySpec::EcP256, KeySpec::EcP521, KeySpec::Rsa2048] {
            let chain = provider.sign_leaf(&leaf_request(leaf, 1)).await.unwrap();
            assert_signed(&chain[0], &root.certificate);
        }
    }
}

#[tokio::test]
async fn asking_again_never_makes_a_second_root() {
    let provider = configured(None).await;
    let request = root_request(KeySpec::EcP256);
    let (first, second) = tokio::join!(provider.root(&request), provider.root(&request));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.certificate, second.certificate);

    let restarted = configured(Some(first.state)).await;
    let third = restarted.root(&request).await.unwrap();
    assert_eq!(third.certificate, first.certificate);
    let chain = restarted
        .sign_leaf(&leaf_request(KeySpec::EcP256, 1))
        .await
        .unwrap();
    assert_signed(&chain[0], &first.certificate);
}

#[tokio::test]
async fn a_renewed_root_has_another_key_and_the_same_wish_makes_one_only() {
    let before = configured(None).await;
    let first = before.root(&root_request(KeySpec::EcP256)).await.unwrap();

    let after = configured(Some(first.state.clone())).await;
    let second = after.root(&renewed_root(2)).await.unwrap();
    let again = after.root(&renewed_root(2)).await.unwrap();
    assert_eq!(second.certificate, again.certificate);
    assert_ne!(
        parsed(&second.certificate).public_key().raw,
        parsed(&first.certificate).public_key().raw
    );
    // After a crash that lost nothing, and without the wish for another.
    let restarted = configured(Some(second.state)).await;
    let again = restarted.root(&renewed_root(2)).await.unwrap();
    assert_eq!(again.certificate, second.certificate);
    let again = restarted.root(&root_request(KeySpec::EcP256)).await;
    assert_eq!(again.unwrap().certificate, second.certificate);
    let leaf = leaf_request(KeySpec::EcP256, 1);
    let chain = restarted.sign_leaf(&leaf).await.unwrap();
    assert_signed(&chain[0], &second.certificate);
    // The instance before goes on with what it has.
    let chain = before.sign_leaf(&leaf).await.unwrap();
    assert_signed(&chain[0], &first.certificate);
    // The wish that made the first root is no wish for another.
    let unchanged = configured(Some(first.state)).await;
    let same = unchanged.root(&renewed_root(1)).await.unwrap();
    assert_eq!(same.certificate, first.certificate);
}

#[tokio::test]
async fn only_options_of_the_root_make_another_root() {
    use serde_json::json;
    let provider = configured(None).await;
    let first = provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    for (options, key, same) in [
        (json!({"LeafCertTTL": "1h"}), KeySpec::EcP256, true),
        (json!({"PrivateKeyBits": 256}), KeySpec::EcP256, true),
        (json!({"csr_max_per_second": 1}), KeySpec::EcP256, true),
        (json!({"PrivateKeyBits": 384}), KeySpec::EcP384, false),
        (
            json!({"private_key_type": "rsa", "private_key_bits": 2048}),
            KeySpec::Rsa2048,
            false,
        ),
    ] {
        let state = Some(first.state.clone());
        let provider = configured_with(options.clone(), state).await;
        let request = RootRequest {
            operation: OperationId::from_bytes([2; 16]),
            ..root_request(key)
        };
        let second = provider.root(&request).await.unwrap();
        assert_eq!(first.certificate == second.certificate, same, "{options}");
        let restarted = configured_with(options.clone(), Some(second.state)).await;
        let again = restarted.root(&request).await.unwrap();
        assert_eq!(again.certificate, second.certificate, "{options}");
    }
}

/// States of 0.1 know neither operations nor what the options said.
#[tokio::test]
async fn an_earlier_versions_state_still_reads() {
    for kind in [KeySpec::EcP256, KeySpec::EcP384] {
        let bits = KeyKind::from(kind).bits();
        let options = serde_json::json!({ "PrivateKeyBits": bits });
        let provider = configured_with(options.clone(), None).await;
        let root = provider.root(&root_request(kind)).await.unwrap();
        let mut state: serde_json::Value = serde_json::from_slice(root.state.expose()).unwrap();
        state.as_object_mut().unwrap().remove("basis").unwrap();
        let stored = state["root"].as_object_mut().unwrap();
        stored.remove("operation").unwrap();
        let state = Secret::new(state.to_string().into_bytes());
        let restarted = configured_with(options, Some(state)).await;
        let again = restarted.root(&root_request(kind)).await.unwrap();
        assert_eq!(again.certificate, root.certificate);
        let renewed = restarted.root(&renewed_root(1)).await.unwrap();
        assert_ne!(renewed.certificate, root.certificate);
    }
}

#[tokio::test]
async fn nothing_outlives_its_issuer() {
    let provider = configured(None).await;
    let mut request = root_request(KeySpec::EcP256);
    request.template.validity = validity(2);
    provider.root(&request).await.unwrap();
    let chain = provider
        .sign_leaf(&leaf_request(KeySpec::EcP256, 3))
        .await
        .unwrap();
    assert_eq!(
        parsed(&chain[0]).validity().not_after.timestamp(),
        validity(2).not_after.unix_seconds()
    );
    let mut late = leaf_request(KeySpec::EcP256, 3);
    late.template.validity.not_before = validity(2).not_after;
    let error = provider.sign_leaf(&late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn an_intermediate_from_another_ca_signs_leafs() {
    let primary = configured(None).await;
    let root = primary.root(&root_request(KeySpec::EcP384)).await.unwrap();
    let secondary = configured(None).await;
    let wish = IntermediateRequest {
        operation: OperationId::from_bytes([2; 16]),
        renew: false,
        template: intermediate_template(10),
        key: KeySpec::EcP256,
    };
    let IntermediateAnswer::Csr { csr, state } = secondary.intermediate(&wish).await.unwrap()
    else {
        panic!("the built-in CA asks another CA to sign");
    };
    // Also after a restart in between.
    let secondary = configured(Some(state)).await;
    let IntermediateAnswer::Csr { csr: again, .. } = secondary.intermediate(&wish).await.unwrap()
    else {
        panic!("the built-in CA asks another CA to sign");
    };
    assert_eq!(again, csr);

    let intermediate = primary
        .sign_intermediate(&SignIntermediateRequest {
            public_key: spki_of(&csr),
            csr,
            template: intermediate_template(10),
        })
        .await
        .unwrap();
    let constraints = parsed(&intermediate);
    let constraints = constraints.basic_constraints().unwrap().unwrap();
    assert_eq!(constraints.value.path_len_constraint, Some(0));
    assert_signed(&intermediate, &root.certificate);

    let accept = AcceptIntermediateRequest {
        chain: vec![intermediate.clone(), root.certificate],
    };
    let state = secondary.accept_intermediate(&accept).await.unwrap();
    secondary.accept_intermediate(&accept).await.unwrap();
    for provider in [secondary, configured(Some(state)).await] {
        let chain = provider
            .sign_leaf(&leaf_request(KeySpec::EcP256, 20))
            .await
            .unwrap();
        assert_eq!(
            chain[1..],
            *std::slice::from_ref(&intermediate),
            "the root stays out"
        );
        assert_signed(&chain[0], &intermediate);
        assert_eq!(
            parsed(&chain[0]).validity().not_after.timestamp(),
            validity(10).not_after.unix_seconds()
        );
    }
}

#[tokio::test]
async fn an_intermediate_is_asked_for_once_and_anew_only_on_request() {
    let primary = configured(None).await;
    primary.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let secondary = configured(None).await;
    let wish = |operation, renew| IntermediateRequest {
        operation: OperationId::from_bytes([operation; 16]),
        renew,
        template: intermediate_template(10),
        key: KeySpec::EcP256,
    };
    let accept = async |provider: &BuiltIn, csr: CertificateSigningRequestDer<'static>| {
        let request = SignIntermediateRequest {
            public_key: spki_of(&csr),
            csr,
            template: intermediate_template(10),
        };
        let chain = vec![primary.sign_intermediate(&request).await.unwrap()];
        let accept = AcceptIntermediateRequest {
            chain: chain.clone(),
        };
        (chain, provider.accept_intermediate(&accept).await.unwrap())
    };
    let answer = secondary.intermediate(&wish(2, true)).await.unwrap();
    let IntermediateAnswer::Csr { csr, .. } = answer else {
        panic!("nothing is signed yet");
    };
    let (first, state) = accept(&secondary, csr).await;

    let restarted = configured(Some(state)).await;
    for (operation, renew) in [(2, true), (2, false), (3, false)] {
        let answer = restarted.intermediate(&wish(operation, renew)).await;
        let IntermediateAnswer::Ready { chain, .. } = answer.unwrap() else {
            panic!("there is one: {operation} {renew}");
        };
        assert_eq!(chain, first);
    }
    let IntermediateAnswer::Csr { csr, .. } = restarted.intermediate(&wish(3, true)).await.unwrap()
    else {
        panic!("another was asked for");
    };
    // Until the new one is signed, leafs come from the old one, and it is not forgotten.
    let leaf = leaf_request(KeySpec::EcP256, 1);
    assert_eq!(restarted.sign_leaf(&leaf).await.unwrap()[1..], first);
    let IntermediateAnswer::Csr { csr: again, .. } =
        restarted.intermediate(&wish(3, false)).await.unwrap()
    else {
        panic!("its signature is awaited");
    };
    assert_eq!(again, csr);
    let (second, _) = accept(&restarted, csr).await;
    assert_ne!(second, first);
    assert_eq!(restarted.sign_leaf(&leaf).await.unwrap()[1..], second);
}

#[tokio::test]
async fn an_intermediate_for_another_key_is_refused() {
    let primary = configured(None).await;
    primary.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let other = leaf_request(KeySpec::EcP256, 1);
    let foreign = primary
        .sign_intermediate(&SignIntermediateRequest {
            csr: other.csr,
            public_key: other.public_key,
            template: intermediate_template(10),
        })
        .await
        .unwrap();
    let accept = AcceptIntermediateRequest {
        chain: vec![foreign],
    };
    let secondary = configured(None).await;
    let error = secondary.accept_intermediate(&accept).await.unwrap_err();
    assert_eq!(error.to_string(), "no intermediate was asked for");
    secondary
        .intermediate(&IntermediateRequest {
            operation: OperationId::from_bytes([2; 16]),
            renew: false,
            template: intermediate_template(10),
            key: KeySpec::EcP256,
        })
        .await
        .unwrap();
    let error = secondary.accept_intermediate(&accept).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("another key"), "{error}");
}

#[tokio::test]
async fn cross_signing_keeps_name_key_and_extensions() {
    let old = configured(None).await;
    let old_root = old.root(&root_request(KeySpec::EcP256)).await.unwrap();
    for kind in [KeySpec::EcP384, KeySpec::Rsa2048] {
        let new = configured(None).await;
        let new_root = new.root(&root_request(kind)).await.unwrap();
        let crossed = old.cross_sign(&cross(&new_root.certificate)).await.unwrap();
        let (before, after) = (parsed(&new_root.certificate), parsed(&crossed));
        assert_eq!(before.subject().as_raw(), after.subject().as_raw());
        assert_eq!(before.public_key().raw, after.public_key().raw);
        assert_eq!(after.raw_serial(), [12]);
        assert_eq!(
            after.validity().not_after.timestamp(),
            validity(168).not_after.unix_seconds()
        );
        let kept = |certificate: &X509Certificate<'_>| {
            let mut kept: Vec<_> = certificate
                .extensions()
                .iter()
                .map(|extension| {
                    (
                        extension.oid.to_id_string(),
                        extension.critical,
                        extension.value.to_vec(),
                    )
                })
                .filter(|(oid, ..)| oid != "2.5.29.35")
                .collect();
            kept.sort();
            kept
        };
        assert_eq!(kept(&before), kept(&after));
        assert_eq!(key_ids(&crossed).1, key_ids(&old_root.certificate).0);
        assert_signed(&crossed, &old_root.certificate);
    }
}

/// Roots made by OpenSSL 3 with `req -x509`, which also have critical name constraints: a plain
/// name, one with two attributes in a set, and one with an attribute twice.
#[tokio::test]
async fn a_foreign_name_is_kept_to_the_byte() {
    let provider = configured(None).await;
    let root = provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let constraints = |certificate: &X509Certificate<'_>| {
        let found = certificate
            .extensions()
            .iter()
            .find(|extension| extension.oid.to_id_string() == "2.5.29.30")
            .unwrap();
        (found.critical, found.value.to_vec())
    };
    for foreign in [
        &include_bytes!("../testdata/root-plain-name.der")[..],
        &include_bytes!("../testdata/root-multi-name.der")[..],
        &include_bytes!("../testdata/root-twice-name.der")[..],
    ] {
        let foreign = CertificateDer::from(foreign);
        let crossed = provider.cross_sign(&cross(&foreign)).await.unwrap();
        let (before, after) = (parsed(&foreign), parsed(&crossed));
        assert_eq!(before.subject().as_raw(), after.subject().as_raw());
        assert_eq!(before.public_key().raw, after.public_key().raw);
        assert_eq!(constraints(&before), constraints(&after));
        assert_signed(&crossed, &root.certificate);
    }
}

#[tokio::test]
async fn what_cannot_be_cross_signed_is_refused() {
    let provider = configured(None).await;
    provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let chain = provider
        .sign_leaf(&leaf_request(KeySpec::EcP256, 1))
        .await
        .unwrap();
    let error = provider.cross_sign(&cross(&chain[0])).await.unwrap_err();
    assert_eq!(error.to_string(), "the certificate to cross-sign is no CA");
    let garbage = CertificateDer::from(b"<html>".to_vec());
    let error = provider.cross_sign(&cross(&garbage)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn cleaned_up_it_signs_no_more() {
    let provider = configured(None).await;
    provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let all = CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: Vec::new(),
    };
    provider.clean_up(&all).await.unwrap();
    provider.clean_up(&all).await.unwrap();
    let leaf = provider.sign_leaf(&leaf_request(KeySpec::EcP256, 1)).await;
    assert_eq!(leaf.unwrap_err().kind(), ErrorKind::Refused);
    let root = provider.root(&root_request(KeySpec::EcP256)).await;
    assert_eq!(root.unwrap_err().to_string(), "this CA has been cleaned up");
}

#[tokio::test]
async fn a_state_that_cannot_be_read_is_named_without_quoting_it() {
    for (state, text) in [
        (
            "{\"version\":1,\"root\":\"canary\"}",
            "the CA's state cannot be read, at line 1",
        ),
        (
            "{\"version\":2}",
            "the CA's state has version 2, this build reads 1",
        ),
        (
            "{\"version\":1,\"root\":{\"key\":{\"kind\":\"ec-p256\",\"pkcs8\":\"Y2FuYXJ5\"},\
             \"chain\":[\"AAAA\"]}}",
            "the stored key is no EC P-256 key",
        ),
    ] {
        let mut provider = BuiltIn::new();
        let state = Secret::new(state.as_bytes().to_vec());
        let error = provider.configure(&configuration(Some(state))).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken);
        assert!(error.to_string().starts_with(text), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
    }
}

fn cross(root: &CertificateDer<'_>) -> CrossSignRequest {
    CrossSignRequest {
        root: root.clone().into_owned(),
        csr: None,
        serial: serial(12),
        validity: validity(168),
    }
}

fn spki_of(csr: &CertificateSigningRequestDer<'_>) -> SubjectPublicKeyInfoDer<'static> {
    let (_, csr) =
        x509_parser::certification_request::X509CertificationRequest::from_der(csr).unwrap();
    csr.certification_request_info
        .subject_pki
        .raw
        .to_vec()
        .into()
}
