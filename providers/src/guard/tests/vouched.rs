//! Providers that say with whose key they signed, so that nobody need verify it.

use chancery_core::CheckedRoot;

use super::*;

/// Asks for a leaf of a provider that signs well or breaks its signatures, and says that it
/// signed with the key that `vouches` makes of its issuer's.
async fn issue(
    spoils: bool,
    vouches: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
) -> Result<CheckedLeaf, ProviderError> {
    let provider = Scripted {
        spoils,
        ..Scripted::default()
    };
    let mut guard = Guard::new(provider, settings(Limits::NONE));
    let root = guard.root(&fixture::root_request(KeySpec::EcP256)).await;
    let root = CheckedRoot::restore(&root.unwrap().certificate).unwrap();
    guard.provider.vouches = vouches(root.issuer().spki_der());
    guard.issue_leaf(&fixture::leaf_request()).await
}

#[tokio::test]
async fn a_signature_by_the_issuers_own_key_is_not_verified_again() {
    issue(false, |issuer| Some(issuer.to_vec())).await.unwrap();
    // It would have been found.
    issue(true, |issuer| Some(issuer.to_vec())).await.unwrap();
}

#[tokio::test]
async fn one_by_any_other_key_or_by_nobodys_is_verified() {
    type Vouches = fn(&[u8]) -> Option<Vec<u8>>;
    let vouches: [Vouches; 4] = [
        |_| None,
        |_| Some(fixture::leaf_request().public_key.to_vec()),
        |_| Some(Vec::new()),
        |issuer| Some(issuer[..issuer.len() - 1].to_vec()),
    ];
    for vouches in vouches {
        issue(false, vouches).await.unwrap();
        let error = issue(true, vouches).await.unwrap_err();
        assert_eq!(error.rule(), Some("signature"), "{error}");
    }
}
