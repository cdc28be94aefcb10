//! The Vault provider over time: restarts, rotations, and what is left behind.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery_core::CertificateSummary;
use chancery_providers::{
    CaProvider, CleanUpRequest, CleanUpScope, ErrorKind, VaultRights, vault_policy,
};
use chancery_tests::{
    OpenBao, configured_vault, cross_sign_request, intermediate_request, issuers_of, leaf_request,
    root_request,
};
use serde_json::{Value, json};

fn options(server: &OpenBao) -> Value {
    json!({
        "Address": server.url(),
        "Token": server.root_token(),
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_restarts_make_no_second_issuer() {
    let server = OpenBao::start().await.unwrap();
    let options = options(&server);
    let mut state = None;
    let mut first = None;
    for restart in 0..200 {
        let vault = configured_vault(&options, state.take()).await.unwrap();
        let operation = if restart < 100 { 1 } else { 2 };
        let (root, chain, newest) = issuers_of(&vault, operation, false).await.unwrap();
        let found = (root, chain);
        assert_eq!(first.get_or_insert_with(|| found.clone()), &found);
        // Now and then a crash comes before the commit.
        state = (restart % 10 != 5).then_some(newest);
    }
    assert_eq!(server.list("root/issuers").await.unwrap().len(), 1);
    assert_eq!(server.list("intermediate/issuers").await.unwrap().len(), 1);
    assert_eq!(server.list("intermediate/keys").await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn leafs_are_not_kept_in_vault() {
    let server = OpenBao::start().await.unwrap();
    let vault = configured_vault(&options(&server), None).await.unwrap();
    issuers_of(&vault, 1, false).await.unwrap();
    let before = server.list("intermediate/certs").await.unwrap();
    for number in 0..20 {
        let request = leaf_request(&format!("web-{number}"));
        vault.sign_leaf(&request).await.unwrap();
    }
    assert_eq!(server.list("intermediate/certs").await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_is_one_issuer_however_often_it_is_asked_for() {
    let server = OpenBao::start().await.unwrap();
    let options = options(&server);
    let old = configured_vault(&options, None).await.unwrap();
    let (root, chain, state) = issuers_of(&old, 1, false).await.unwrap();

    // Twice by one process, and once more by another that knows the older state only.
    let renewing = configured_vault(&options, Some(state.clone()))
        .await
        .unwrap();
    renewing.root(&root_request(2, false)).await.unwrap();
    let request = intermediate_request(2, true);
    renewing.intermediate(&request).await.unwrap();
    renewing.intermediate(&request).await.unwrap();
    let another = configured_vault(&options, Some(state)).await.unwrap();
    another.root(&root_request(2, false)).await.unwrap();
    another.intermediate(&request).await.unwrap();
    assert_eq!(server.list("intermediate/issuers").await.unwrap().len(), 2);

    // The old one signs as before, the new ones by the new issuer: none by a default.
    let by_old = old.sign_leaf(&leaf_request("web")).await.unwrap();
    let by_new = renewing.sign_leaf(&leaf_request("web")).await.unwrap();
    let by_another = another.sign_leaf(&leaf_request("web")).await.unwrap();
    assert_eq!(by_old[1], chain[0]);
    assert_ne!(by_new[1], chain[0]);
    assert_eq!(by_new[1], by_another[1]);
    for leaf in [&by_old, &by_new] {
        assert_signed(leaf);
    }

    // The old one goes, its key with it; what is kept stays.
    let request = CleanUpRequest {
        scope: CleanUpScope::Issuing,
        keep: vec![root.clone(), by_new[1].clone()],
    };
    old.clean_up(&request).await.unwrap();
    assert_eq!(server.list("intermediate/issuers").await.unwrap().len(), 1);
    assert_eq!(server.list("intermediate/keys").await.unwrap().len(), 1);
    renewing.sign_leaf(&leaf_request("web")).await.unwrap();
    assert_eq!(server.list("root/issuers").await.unwrap().len(), 1);
}

/// The leaf names the second certificate as its issuer.
fn assert_signed(chain: &[rustls_pki_types::CertificateDer<'static>]) {
    let leaf = CertificateSummary::inspect(&chain[0]).unwrap();
    let issuer = CertificateSummary::inspect(&chain[1]).unwrap();
    assert_eq!(leaf.authority_key_id, issuer.subject_key_id);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_behind_but_what_is_kept() {
    let server = OpenBao::start().await.unwrap();
    let before = server.get("sys/mounts").await.unwrap();
    let vault = configured_vault(&options(&server), None).await.unwrap();
    let (root, chain, state) = issuers_of(&vault, 1, false).await.unwrap();

    let keep = |scope, keep| CleanUpRequest { scope, keep };
    vault
        .clean_up(&keep(CleanUpScope::Issuing, vec![root.clone()]))
        .await
        .unwrap();
    assert!(server.get("sys/mounts/intermediate").await.is_err());
    assert_eq!(server.list("root/issuers").await.unwrap().len(), 1);
    assert_ne!(root, chain[0]);

    // When nobody trusts the root any more, another process finishes with the state.
    let again = configured_vault(&options(&server), Some(state)).await;
    let again = again.unwrap();
    again
        .clean_up(&keep(CleanUpScope::Everything, Vec::new()))
        .await
        .unwrap();
    let after = server.get("sys/mounts").await.unwrap();
    let names = |mounts: &Value| {
        let data = mounts["data"].as_object().unwrap();
        data.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names(&after), names(&before));
}

#[tokio::test(flavor = "multi_thread")]
async fn mounts_of_an_administrator_are_used_and_never_removed() {
    let server = OpenBao::start().await.unwrap();
    for mount in ["root", "intermediate"] {
        let body = json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}});
        server
            .post(&format!("sys/mounts/{mount}"), &body)
            .await
            .unwrap();
    }
    let body = json!({"common_name": "Acme Root", "key_type": "rsa", "key_bits": 2048,
        "ttl": "80000h"});
    server
        .post("root/root/generate/internal", &body)
        .await
        .unwrap();
    let rights = VaultRights {
        mounts: false,
        roots: false,
        any_root: false,
    };
    let policy = vault_policy("root", "intermediate", rights);
    let token = server.token("chancery", &policy, json!({})).await.unwrap();
    let mut options = options(&server);
    options["Token"] = token.into();

    let vault = configured_vault(&options, None).await.unwrap();
    let capabilities = vault.describe().capabilities;
    assert!(capabilities.cross_sign && capabilities.needs_root_csr);
    assert!(capabilities.sign_intermediate && !capabilities.root_csr);
    let (root, _, _) = issuers_of(&vault, 1, false).await.unwrap();
    let summary = CertificateSummary::inspect(&root).unwrap();
    assert_eq!(summary.subject, "CN=Acme Root");
    assert_signed(&vault.sign_leaf(&leaf_request("web")).await.unwrap());

    let everything = CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: Vec::new(),
    };
    vault.clean_up(&everything).await.unwrap();
    assert_eq!(server.list("root/issuers").await.unwrap().len(), 1);
    assert_eq!(server.list("intermediate/issuers").await.unwrap().len(), 0);
    server.get("sys/mounts/intermediate").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_above_vault_is_what_is_trusted() {
    let server = OpenBao::start().await.unwrap();
    for mount in ["above", "root"] {
        let body = json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}});
        server
            .post(&format!("sys/mounts/{mount}"), &body)
            .await
            .unwrap();
    }
    let body = json!({"common_name": "Acme Root", "key_type": "ec", "ttl": "80000h"});
    let above = server
        .post("above/root/generate/internal", &body)
        .await
        .unwrap();
    let body = json!({"common_name": "Acme Mesh", "key_type": "ec"});
    let csr = server
        .post("root/intermediate/generate/internal", &body)
        .await
        .unwrap();
    let body = json!({"csr": csr["data"]["csr"], "use_csr_values": true, "ttl": "70000h"});
    let signed = server
        .post("above/root/sign-intermediate", &body)
        .await
        .unwrap();
    let chain = format!(
        "{}\n{}\n",
        signed["data"]["certificate"].as_str().unwrap(),
        above["data"]["certificate"].as_str().unwrap()
    );
    let body = json!({"certificate": chain});
    server
        .post("root/intermediate/set-signed", &body)
        .await
        .unwrap();

    let vault = configured_vault(&options(&server), None).await.unwrap();
    let (root, chain, state) = issuers_of(&vault, 1, false).await.unwrap();
    let subject = |der: &[u8]| CertificateSummary::inspect(der).unwrap().subject;
    assert_eq!(subject(&root), "CN=Acme Root");
    assert_eq!(subject(&chain[1]), "CN=Acme Mesh");
    assert_eq!(chain.len(), 2);
    assert!(!vault.describe().capabilities.cross_sign);
    let error = vault
        .cross_sign(&cross_sign_request(&root))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");

    let again = configured_vault(&options(&server), Some(state))
        .await
        .unwrap();
    let leaf = again.sign_leaf(&leaf_request("web")).await.unwrap();
    assert_eq!(leaf.len(), 3);
    assert_signed(&leaf);
}
