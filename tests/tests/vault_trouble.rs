//! Vault in trouble: signing fails with one clear error, and works again when the trouble is
//! over, without anybody restarting Chancery.

use chancery_providers::{CaProvider, ErrorKind, Stops, VaultRights, vault_policy};
use chancery_tests::{
    OpenBao, configured_vault, free_port, issuers_of, leaf_request, root_request,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn options(server: &OpenBao) -> Value {
    json!({
        "Address": server.url(),
        "Token": server.root_token(),
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    })
}

const UNAVAILABLE: ErrorKind = ErrorKind::Unavailable { retry_after: None };

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_vault_signs_again_when_it_is_unsealed() {
    let server = OpenBao::start().await.unwrap();
    let vault = configured_vault(&options(&server), None).await.unwrap();
    issuers_of(&vault, 1, false).await.unwrap();
    assert!(stops_signing(&vault).await.is_none());
    server.seal().await.unwrap();
    let found = stops_signing(&vault).await.unwrap();
    assert!(found.contains("sealed"), "{found}");
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), UNAVAILABLE, "{error}");
    assert!(error.to_string().contains("sealed"), "{error}");
    server.unseal().await.unwrap();
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

/// What the provider says about why no more leafs are signed.
async fn stops_signing(vault: &impl CaProvider) -> Option<String> {
    let findings = vault.findings().await;
    let bad = findings.into_iter().find(|it| it.stops == Stops::Signing);
    bad.map(|finding| finding.what)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_restarts_signs_again() {
    let mut server = OpenBao::start_durable().await.unwrap();
    let vault = configured_vault(&options(&server), None).await.unwrap();
    issuers_of(&vault, 1, false).await.unwrap();
    server.stop();
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), UNAVAILABLE, "{error}");
    server.start_again().await.unwrap();
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), UNAVAILABLE, "{error}");
    server.unseal().await.unwrap();
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absent_vault_is_told_in_consuls_words() {
    let address = format!("127.0.0.1:{}", free_port().unwrap());
    let options = json!({
        "Address": format!("http://{address}"),
        "Token": "t",
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    });
    let error = configured_vault(&options, None).await.err().unwrap();
    assert_eq!(error.kind(), UNAVAILABLE);
    assert_eq!(
        error.to_string(),
        format!(
            "Get \"http://{address}/v1/auth/token/lookup-self\": dial tcp {address}: connect: \
             connection refused"
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_in_consuls_words() {
    let server = OpenBao::start().await.unwrap();
    let mut options = options(&server);
    options["Token"] = "s.canaryCanaryCanaryCanary".into();
    let error = configured_vault(&options, None).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unauthorised);
    let url = server.url();
    let wanted = format!(
        "Error making API request.\n\nURL: GET {url}/v1/auth/token/lookup-self\nCode: 403. \
         Errors:\n\n* "
    );
    assert!(error.to_string().starts_with(&wanted), "{error}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_becomes_forbidden_is_named_with_what_it_takes() {
    let server = OpenBao::start().await.unwrap();
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root: true,
    };
    let policy = vault_policy("root", "intermediate", rights);
    let token = server.token("chancery", &policy, json!({})).await.unwrap();
    let mut options = options(&server);
    options["Token"] = token.into();
    let vault = configured_vault(&options, None).await.unwrap();
    issuers_of(&vault, 1, false).await.unwrap();

    let rest: Vec<&str> = policy
        .lines()
        .filter(|line| !line.contains("sign/leaf-cert"))
        .collect();
    let put = async |policy: &str| {
        let body = json!({ "policy": policy });
        server
            .post("sys/policies/acl/chancery", &body)
            .await
            .unwrap();
    };
    put(&rest.join("\n")).await;
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised, "{error}");
    let said = error.to_string();
    assert!(
        said.starts_with("error issuing cert: Error making API request."),
        "{said}"
    );
    assert!(
        said.contains("the token needs \"update\" on \"intermediate/issuer/"),
        "{said}"
    );
    assert!(said.ends_with("/sign/leaf-cert\""), "{said}");
    put(&policy).await;
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mount_deleted_under_us_is_named_and_made_again() {
    let server = OpenBao::start().await.unwrap();
    let options = options(&server);
    let vault = configured_vault(&options, None).await.unwrap();
    let (root, old, state) = issuers_of(&vault, 1, false).await.unwrap();
    server.delete("sys/mounts/intermediate").await.unwrap();
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    assert!(
        error.to_string().contains("intermediate/issuer/"),
        "{error}"
    );

    let again = configured_vault(&options, Some(state.clone()))
        .await
        .unwrap();
    let (same, new, _) = issuers_of(&again, 2, false).await.unwrap();
    assert_eq!(root, same);
    assert_ne!(old, new);
    again.sign_leaf(&leaf_request("web")).await.unwrap();

    // A root is never made in the place of one that is gone.
    server.delete("sys/mounts/root").await.unwrap();
    let error = configured_vault(&options, Some(state)).await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert!(
        error
            .to_string()
            .contains("root/ that held the root is gone"),
        "{error}"
    );
    assert!(server.get("sys/mounts/root").await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_role_is_kept_in_step() {
    let server = OpenBao::start().await.unwrap();
    let mut options = options(&server);
    configured_vault(&options, None).await.unwrap();
    let role = server.get("intermediate/roles/leaf-cert").await.unwrap();
    assert_eq!(role["data"]["max_ttl"], 259_200);
    options["LeafCertTTL"] = "24h".into();
    options["IntermediateCertTTL"] = "2000h".into();
    configured_vault(&options, None).await.unwrap();
    let role = server.get("intermediate/roles/leaf-cert").await.unwrap();
    assert_eq!(role["data"]["max_ttl"], 86_400);
    assert_eq!(role["data"]["no_store"], true);
    let mount = server.get("sys/mounts/intermediate").await.unwrap();
    assert_eq!(mount["data"]["config"]["max_lease_ttl"], 7_200_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_of_another_trust_domain_is_not_taken() {
    let server = OpenBao::start().await.unwrap();
    let body = json!({ "type": "pki" });
    server.post("sys/mounts/root", &body).await.unwrap();
    let body = json!({
        "common_name": "other",
        "key_type": "ec",
        "uri_sans": "spiffe://66666666-2222-3333-4444-555555555555.consul",
    });
    server
        .post("root/root/generate/internal", &body)
        .await
        .unwrap();
    let vault = configured_vault(&options(&server), None).await.unwrap();
    let error = vault.root(&root_request(1, false)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the root in root/ is of spiffe://66666666-2222-3333-4444-555555555555.consul, ours is \
         spiffe://11111111-2222-3333-4444-555555555555.consul"
    );
}

/// What a proxy before Vault, or one in its place, may answer.
#[tokio::test(flavor = "multi_thread")]
async fn answers_that_are_none_are_refused() {
    let long = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}",
        64 * 1024 * 1024,
        " ".repeat(2 * 1024 * 1024)
    );
    for (answer, kind, says) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n<html>...</html>",
            ErrorKind::Broken,
            "is not JSON",
        ),
        (
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
            ErrorKind::Broken,
            "Code: 302",
        ),
        (
            long.as_str(),
            ErrorKind::Broken,
            "has more than 1048576 bytes",
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
            UNAVAILABLE,
            "broke off",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", UNAVAILABLE, "Get "),
        ("", UNAVAILABLE, "Get "),
    ] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let bytes = answer.to_owned();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(bytes.as_bytes()).await;
            }
        });
        let options = json!({
            "Address": format!("http://{address}"),
            "Token": "t",
            "RootPKIPath": "root",
            "IntermediatePKIPath": "intermediate",
        });
        let error = configured_vault(&options, None).await.err().unwrap();
        serving.abort();
        let shown: String = answer.chars().take(60).collect();
        assert_eq!(error.kind(), kind, "{shown}: {error}");
        assert!(error.to_string().contains(says), "{shown}: {error}");
    }
}
