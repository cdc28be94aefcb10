use std::sync::Arc;
use std::time::Duration;

use chancery_core::{
    CheckedRoot, Datacenter, KeyUsages, OperationId, PeerRole, Serial, Timestamp, TrustBundle,
    TrustDomain,
};
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, KeyPair, KeyUsagePurpose, NameConstraints,
    PublicKeyData as _, SanType,
};
use rustls_pki_types::CertificateSigningRequestDer;
use serde_json::json;

use super::super::{BuiltIn, keys};
use super::*;
use crate::{
    AcceptIntermediateRequest, CaProvider as _, ConfigureRequest, CrossSignRequest, ErrorKind,
    ExtendedKeyUsage, IntermediateAnswer, IntermediateRequest, IntermediateTemplate, LeafRequest,
    LeafTemplate, RootRequest, RootTemplate, SecretOptions, SignIntermediateRequest, Validity,
};

const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";
/// 2027-01-01T00:00:00Z
const NOW: Timestamp = Timestamp::from_unix(1_798_761_600);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// A CA of an operator.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    certificate: rcgen::Certificate,
}

fn params(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    lives(&mut params, NOW.saturating_sub(DAY), 3650 * DAY);
    change(&mut params);
    params
}

fn lives(params: &mut CertificateParams, from: Timestamp, life: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let start = Duration::from_secs(from.unix_seconds().try_into().unwrap());
    params.not_before = epoch + start;
    params.not_after = epoch + start + life;
}

impl Authority {
    fn root(kind: KeySpec, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let params = params("Acme Root", change);
        let key = keys::key_pair(kind).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn under(&self, change: impl FnOnce(&mut CertificateParams)) -> Self {
        let mut params = params("Acme Issuing", |params| {
            params.not_after = self.params.not_after;
        });
        change(&mut params);
        let key = keys::key_pair(KeySpec::EcP256).unwrap();
        let issuer = rcgen::Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn key(&self) -> String {
        self.key.serialize_pem()
    }

    fn pem(&self) -> String {
        self.certificate.pem()
    }
}

fn plain(params: &mut CertificateParams) {
    let _ = params;
}

async fn configure(
    options: serde_json::Value,
    key: Option<&str>,
    state: Option<Secret>,
    now: Timestamp,
) -> Result<BuiltIn, ProviderError> {
    let serde_json::Value::Object(options) = options else {
        panic!("options are an object");
    };
    let secret = key.map(|key| ("PrivateKey", Secret::new(key.as_bytes().to_vec())));
    let request = ConfigureRequest {
        trust_domain: TrustDomain::parse(DOMAIN).unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options,
        secrets: SecretOptions::from_iter(secret),
        state,
    };
    let mut provider = BuiltIn::with_clock(Arc::new(move || now));
    provider.configure(&request).await?;
    Ok(provider)
}

/// What is said of this root and key; empty if they are good.
async fn verdict(pem: &str, key: Option<&str>) -> String {
    match configure(json!({ "RootCert": pem }), key, None, NOW).await {
        Ok(_) => String::new(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
            let text = format!("{error} {error:?}");
            for line in key
                .unwrap_or_default()
                .lines()
                .filter(|line| line.len() > 8)
            {
                assert!(line.starts_with("-----") || !text.contains(line), "{text}");
            }
            error.to_string()
        }
    }
}

fn operation(number: u8) -> OperationId {
    OperationId::from_bytes([number; 16])
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number]).unwrap()
}

fn root_request(number: u8, renew: bool) -> RootRequest {
    let trust_domain = TrustDomain::parse(DOMAIN).unwrap();
    RootRequest {
        operation: operation(number),
        renew,
        template: RootTemplate::new(
            "consul",
            &trust_domain,
            [number; 8],
            serial(number),
            KeySpec::EcP256,
            3650 * DAY,
            NOW,
        ),
    }
}

fn intermediate_template() -> IntermediateTemplate {
    let trust_domain = TrustDomain::parse(DOMAIN).unwrap();
    IntermediateTemplate::new("consul", &trust_domain, [3; 8], serial(5), 365 * DAY, NOW)
}

fn intermediate_request(number: u8, renew: bool) -> IntermediateRequest {
    IntermediateRequest {
        operation: operation(number),
        renew,
        template: intermediate_template(),
        key: KeySpec::EcP256,
    }
}

fn leaf_request() -> LeafRequest {
    let key = keys::key_pair(KeySpec::EcP256).unwrap();
    let csr = CertificateParams::default().serialize_request(&key);
    LeafRequest {
        csr: csr.unwrap().der().clone(),
        public_key: key.subject_public_key_info().into(),
        template: LeafTemplate {
            common_name: "web.svc.default.11111111.consul".into(),
            uri: format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web"),
            serial: serial(9),
            validity: Validity::backdated(72 * HOUR, NOW),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

/// Signs a leaf, which peers that trust `root` alone take; gives its chain.
async fn assert_signs(provider: &BuiltIn, root: &[u8]) -> Vec<CertificateDer<'static>> {
    let chain = provider.sign_leaf(&leaf_request()).await.unwrap();
    assert_verifies(&chain, root);
    chain
}

fn assert_verifies(chain: &[CertificateDer<'_>], root: &[u8]) {
    let root = CheckedRoot::restore(root).unwrap();
    let bundle = TrustBundle::new(TrustDomain::parse(DOMAIN).unwrap(), [root]).unwrap();
    let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
    for role in [PeerRole::Client, PeerRole::Server] {
        bundle
            .verify_peer(&chain, role, webpki::ALL_VERIFICATION_ALGS, NOW)
            .unwrap();
    }
}

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

/// Made by OpenSSL 3: `DC=corp, DC=example, O=Acme + OU=PKI, CN=Root of ours`, and a key whose
/// file begins with the curve's parameters.
#[tokio::test]
async fn names_of_any_shape_are_kept_to_the_byte() {
    let key = include_str!("../testdata/multi-name.key");
    let pem = include_str!("../testdata/multi-name.pem");
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

#[tokio::test]
async fn keys_of_all_three_forms_are_read() {
    let pkcs8 = Authority::root(KeySpec::EcP256, plain);
    assert_eq!(verdict(&pkcs8.pem(), Some(&pkcs8.key())).await, "");
    // What stands before and after does not matter.
    let padded = format!("# my key\n{}\n{}\n", pkcs8.pem(), pkcs8.key());
    assert_eq!(verdict(&pkcs8.pem(), Some(&padded)).await, "");
    let sec1 = include_str!("../testdata/multi-name.key");
    assert!(sec1.contains("EC PRIVATE KEY"));
    assert_eq!(
        verdict(include_str!("../testdata/multi-name.pem"), Some(sec1)).await,
        ""
    );
    let pkcs1 = include_str!("../testdata/rsa-3072.key");
    assert!(pkcs1.contains("RSA PRIVATE KEY"));
    let provider = configure(json!({}), Some(pkcs1), None, NOW).await.unwrap();
    let root = provider.root(&root_request(1, false)).await.unwrap();
    let kind = CheckedRoot::restore(&root.certificate).unwrap();
    assert_eq!(kind.issuer().key().to_string(), "RSA 3072");
    let restarted = configure(json!({}), Some(pkcs1), Some(root.state), NOW).await;
    assert_signs(&restarted.unwrap(), &root.certificate).await;
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

fn cross(root: &CertificateDer<'_>) -> CrossSignRequest {
    CrossSignRequest {
        root: root.clone().into_owned(),
        serial: serial(12),
        validity: Validity::backdated(7 * DAY, NOW),
    }
}
