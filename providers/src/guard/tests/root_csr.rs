//! A request for a root goes from its own CA to another, and is checked at both.

use super::*;
use crate::Validity;

fn wish(
    root: CertificateDer<'static>,
    csr: Option<CertificateSigningRequestDer<'static>>,
) -> CrossSignRequest {
    CrossSignRequest {
        root,
        csr,
        serial: Serial::from_be_bytes(&[3; 16]).unwrap(),
        validity: Validity::backdated(Duration::from_secs(3600), fixture::NOW),
    }
}

/// A guarded CA, its root and the root's request.
async fn authority() -> (
    Guard<Scripted>,
    CertificateDer<'static>,
    CertificateSigningRequestDer<'static>,
) {
    let guard = Guard::new(Scripted::default(), settings(Limits::NONE));
    let root = guard.root(&fixture::root_request(KeySpec::EcP256)).await;
    let csr = guard.root_csr().await.unwrap().unwrap();
    (guard, root.unwrap().certificate, csr)
}

#[tokio::test]
async fn a_request_that_is_not_the_roots_is_refused_by_its_rule() {
    let (mut guard, _, own) = authority().await;
    let (_, _, anothers) = authority().await;
    let mut spoilt = own.to_vec();
    *spoilt.last_mut().unwrap() ^= 1;
    for (csr, rule) in [
        (anothers, "csr_key"),
        (spoilt.into(), "signature"),
        (b"<html>".to_vec().into(), "malformed"),
    ] {
        guard.provider.csr = Some(csr);
        let error = guard.root_csr().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
        assert_eq!(error.rule(), Some(rule), "{error}");
        assert_eq!(error.call().unwrap().operation, Operation::RootCsr);
    }
    guard.provider.csr = Some(own.clone());
    assert_eq!(guard.root_csr().await.unwrap(), Some(own));
}

#[tokio::test]
async fn what_is_to_be_signed_comes_with_its_own_request_or_none() {
    let (old, ..) = authority().await;
    let (_, root, csr) = authority().await;
    let (_, _, anothers) = authority().await;
    for good in [None, Some(csr)] {
        let request = wish(root.clone(), good);
        old.cross_sign(&request).await.unwrap();
    }
    let request = wish(root, Some(anothers));
    let error = old.cross_sign(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let said = error.to_string();
    assert!(said.contains("is not the root's"), "{said}");
    assert!(said.contains("another key"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_request_is_asked_for_again_if_that_may_help() {
    let guard = guarded(
        Scripted::failing([unavailable(), unavailable()]),
        Limits::NONE,
    )
    .await;
    guard.root_csr().await.unwrap().unwrap();
    assert_eq!(guard.provider.calls.load(Ordering::Relaxed), 3);

    let hanging = Scripted {
        slowness: Duration::from_secs(3600),
        ..Scripted::default()
    };
    let guard = guarded(hanging, Limits::NONE).await;
    let started = Instant::now();
    guard.root_csr().await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::from_secs(30));
}
