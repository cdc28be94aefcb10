//! The request that the root makes for itself.

use chancery_core::CheckedRoot;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::cri_attributes::ParsedCriAttribute;

use super::*;

type Asked = Vec<(String, bool, Vec<u8>)>;

/// What a request asks for, in order.
fn asked_for(csr: &[u8]) -> Asked {
    let (rest, csr) = X509CertificationRequest::from_der(csr).unwrap();
    assert!(rest.is_empty());
    let info = &csr.certification_request_info;
    let mut attributes = info.iter_attributes();
    let (Some(attribute), None) = (attributes.next(), attributes.next()) else {
        panic!("one attribute");
    };
    let ParsedCriAttribute::ExtensionRequest(list) = attribute.parsed_attribute() else {
        panic!("a request for extensions");
    };
    listed(&list.extensions)
}

fn listed(extensions: &[x509_parser::extensions::X509Extension<'_>]) -> Asked {
    let told = extensions.iter().map(|extension| {
        let oid = extension.oid.to_id_string();
        (oid, extension.critical, extension.value.to_vec())
    });
    told.collect()
}

/// That the request is `root`'s own and asks for all that the root has.
pub(in super::super) fn assert_like(csr: &[u8], root: &[u8]) {
    CheckedRoot::restore(root)
        .unwrap()
        .issuer()
        .check_own_request(csr, webpki::ALL_VERIFICATION_ALGS)
        .unwrap();
    let (_, root) = X509Certificate::from_der(root).unwrap();
    let mut wanted = listed(root.extensions());
    // The signer's, whoever that is.
    wanted.retain(|(oid, ..)| oid != "2.5.29.35");
    assert!(
        wanted.iter().any(|(oid, ..)| oid == "2.5.29.14"),
        "{wanted:?}"
    );
    assert_eq!(asked_for(csr), wanted);
}

#[tokio::test]
async fn with_every_kind_of_key_it_asks_for_what_the_root_has() {
    for kind in keys::KINDS {
        let provider = configured(None).await;
        assert!(provider.describe().capabilities.root_csr);
        let error = provider.root_csr().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused, "there is no root yet");
        let root = provider.root(&root_request(kind)).await.unwrap();
        let csr = provider.root_csr().await.unwrap().unwrap();
        assert_like(&csr, &root.certificate);
    }
}

/// As Go writes it, and so whoever signs requests with Go.
#[tokio::test]
async fn a_root_is_named_in_printable_letters_where_those_do() {
    for (name, printable) in [("pri-1.consul.ca.1.consul", true), ("pri_1", false)] {
        let provider = configured(None).await;
        let mut request = root_request(KeySpec::EcP256);
        request.template.common_name = name.into();
        let root = provider.root(&request).await.unwrap().certificate;
        let subject = parsed(&root);
        let subject = subject.subject().iter_common_name().next().unwrap();
        let tag = if printable { 0x13 } else { 0x0c };
        assert_eq!(subject.attr_value().tag().0, tag, "{name}");
        assert_eq!(subject.as_str().unwrap(), name);
    }
}

#[tokio::test]
async fn cleaned_up_it_asks_for_nothing() {
    let provider = configured(None).await;
    provider.root(&root_request(KeySpec::EcP256)).await.unwrap();
    let all = CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: Vec::new(),
    };
    provider.clean_up(&all).await.unwrap();
    provider.root_csr().await.unwrap_err();
}
