//! Every way to get a Vault token, against a real server; tokens that are renewed, replaced or
//! come to their end; TLS; and preflight.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_core::CheckedIntermediate;
use chancery_providers::{
    BuiltIn, CaProvider, ErrorKind, ProviderError, Stops, Vault, VaultRights, file_options,
    vault_policy,
};
use chancery_tests::{
    OpenBao, configured_vault, cross_sign_request, eventually, issuers_of, leaf_request, now,
    root_request, vault_configuration,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const SOON: Duration = Duration::from_secs(40);
const RIGHTS: VaultRights = VaultRights {
    mounts: true,
    roots: true,
    any_root: true,
};

/// A server with the documented policy under the name `chancery`.
async fn server() -> OpenBao {
    let server = OpenBao::start().await.unwrap();
    allow(&server, &vault_policy("root", "intermediate", RIGHTS)).await;
    server
}

async fn allow(server: &OpenBao, policy: &str) {
    let body = json!({ "policy": policy });
    server
        .post("sys/policies/acl/chancery", &body)
        .await
        .unwrap();
}

fn options(server: &OpenBao, more: Value) -> Value {
    let mut options = json!({
        "Address": server.url(),
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    });
    for (name, value) in more.as_object().unwrap() {
        options[name] = value.clone();
    }
    options
}

fn by(server: &OpenBao, kind: &str, params: Value) -> Value {
    options(
        server,
        json!({ "auth_method": { "type": kind, "params": params } }),
    )
}

/// Gets the provider to sign a leaf.
async fn assert_works(options: &Value) -> Vault {
    let vault = configured_vault(options, None).await.unwrap();
    issuers_of(&vault, 1, false).await.unwrap();
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
    vault
}

async fn enable(server: &OpenBao, method: &str) {
    let body = json!({ "type": method });
    server
        .post(&format!("sys/auth/{method}"), &body)
        .await
        .unwrap();
}

async fn refusal(options: &Value) -> ProviderError {
    configured_vault(options, None).await.err().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_role_logs_in_by_values_and_by_files() {
    let server = server().await;
    enable(&server, "approle").await;
    let role = json!({ "token_policies": ["chancery"], "token_ttl": "1h" });
    server.post("auth/approle/role/ca", &role).await.unwrap();
    let role_id = server.get("auth/approle/role/ca/role-id").await.unwrap();
    let role_id = role_id["data"]["role_id"].as_str().unwrap().to_owned();
    let secret = server
        .post("auth/approle/role/ca/secret-id", &json!({}))
        .await
        .unwrap();
    let secret_id = secret["data"]["secret_id"].as_str().unwrap().to_owned();

    let given = json!({ "role_id": role_id, "secret_id": secret_id });
    assert_works(&by(&server, "approle", given)).await;

    let folder = TempDir::new().unwrap();
    let files = [
        write(&folder, "role-id", &role_id),
        write(&folder, "secret-id", &format!("{secret_id}\n")),
    ];
    let params = json!({ "role_id_file_path": files[0], "secret_id_file_path": files[1] });
    assert_works(&by(&server, "approle", params)).await;

    let wrong = json!({ "role_id": role_id, "secret_id": "canary-of-a-secret" });
    let error = refusal(&by(&server, "approle", wrong)).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorised, "{error}");
    assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
}

fn write(folder: &TempDir, name: &str, text: &str) -> String {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_logs_in_at_another_mount_path() {
    let server = server().await;
    let body = json!({ "type": "userpass" });
    server.post("sys/auth/people", &body).await.unwrap();
    let user = json!({ "password": "canary", "token_policies": ["chancery"] });
    server.post("auth/people/users/ca", &user).await.unwrap();
    let mut options = by(
        &server,
        "userpass",
        json!({ "username": "ca", "password": "canary" }),
    );
    options["auth_method"]["mount_path"] = "people/".into();
    assert_works(&options).await;
}

/// A key, and JWTs that it signs.
struct Signer(rcgen::KeyPair);

impl Signer {
    fn jwt(&self, claims: &Value) -> String {
        let head = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"JWT"}"#);
        let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let pkcs8 = self.0.serialize_der();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8).unwrap();
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jwt_is_read_anew_for_each_login() {
    let server = server().await;
    enable(&server, "jwt").await;
    let signer = Signer(rcgen::KeyPair::generate().unwrap());
    let config = json!({ "jwt_validation_pubkeys": [signer.0.public_key_pem()] });
    server.post("auth/jwt/config", &config).await.unwrap();
    let role = json!({
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "token_policies": ["chancery"],
        "token_ttl": "3s",
        "token_max_ttl": "3s",
    });
    server.post("auth/jwt/role/ca", &role).await.unwrap();
    let claims = |subject: &str| {
        let exp = now().unix_seconds() + 600;
        json!({ "sub": subject, "aud": "vault", "exp": exp, "iat": exp - 700, "nbf": exp - 700 })
    };
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "jwt", &signer.jwt(&claims("first")));
    let params = json!({ "role": "ca", "path": path });
    let vault = assert_works(&by(&server, "jwt", params)).await;

    // The token cannot be renewed beyond three seconds: whoever works later has logged in with
    // what stands in the file now.
    write(&folder, "jwt", &signer.jwt(&claims("second")));
    let seen = eventually(SOON, async || subjects(&server, "jwt-second").await);
    seen.await.unwrap();
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

/// Whether a token with that display name is alive.
async fn subjects(server: &OpenBao, wanted: &str) -> Result<(), String> {
    let mut names = Vec::new();
    for accessor in server.list("auth/token/accessors").await.unwrap() {
        let body = json!({ "accessor": accessor });
        let found = server.post("auth/token/lookup-accessor", &body).await;
        names.extend(
            found
                .ok()
                .map(|found| found["data"]["display_name"].clone()),
        );
    }
    match names.iter().any(|name| name == wanted) {
        true => Ok(()),
        false => Err(format!("{names:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_logs_in_by_its_service_account() {
    let server = server().await;
    enable(&server, "kubernetes").await;
    let cluster = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let host = format!("http://{}", cluster.local_addr().unwrap());
    tokio::spawn(review_tokens(cluster));
    let signer = Signer(rcgen::KeyPair::generate().unwrap());
    let claims = json!({
        "iss": "kubernetes/serviceaccount",
        "sub": "system:serviceaccount:mesh:chancery",
        "exp": now().unix_seconds() + 600,
        "iat": now().unix_seconds() - 60,
        "nbf": now().unix_seconds() - 60,
        "kubernetes.io": {
            "namespace": "mesh",
            "serviceaccount": { "name": "chancery", "uid": "1" },
        },
    });
    let jwt = signer.jwt(&claims);
    let params = rcgen::CertificateParams::new(["cluster.test".to_owned()]).unwrap();
    let config = json!({
        "kubernetes_host": host,
        "disable_local_ca_jwt": true,
        "token_reviewer_jwt": jwt,
        "kubernetes_ca_cert": params.self_signed(&signer.0).unwrap().pem(),
    });
    server
        .post("auth/kubernetes/config", &config)
        .await
        .unwrap();
    let role = json!({
        "bound_service_account_names": ["chancery"],
        "bound_service_account_namespaces": ["mesh"],
        "token_policies": ["chancery"],
    });
    server.post("auth/kubernetes/role/ca", &role).await.unwrap();
    let folder = TempDir::new().unwrap();
    let params = json!({ "role": "ca", "token_path": write(&folder, "token", &jwt) });
    assert_works(&by(&server, "kubernetes", params)).await;
}

/// As much of a Kubernetes API server as says that every token is good.
async fn review_tokens(cluster: TcpListener) {
    while let Ok((mut stream, _)) = cluster.accept().await {
        let mut request = vec![0; 65_536];
        let _ = stream.read(&mut request).await;
        let review = json!({
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "status": {
                "authenticated": true,
                "user": { "username": "system:serviceaccount:mesh:chancery", "uid": "1" },
            },
        })
        .to_string();
        let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nConnection: close";
        let length = review.len();
        let answer = format!("{head}\r\nContent-Length: {length}\r\n\r\n{review}");
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_certificate_logs_in_behind_tls() {
    let server = OpenBao::start_tls().await.unwrap();
    allow(&server, &vault_policy("root", "intermediate", RIGHTS)).await;
    enable(&server, "cert").await;
    let [certificate, key] = server.client_files();
    let role = json!({
        "certificate": std::fs::read_to_string(&certificate).unwrap(),
        "token_policies": ["chancery"],
    });
    server.post("auth/cert/certs/ca", &role).await.unwrap();
    let mut options = by(&server, "cert", json!({ "name": "ca" }));
    let more = json!({
        "CAFile": server.ca_file(),
        "CertFile": certificate,
        "KeyFile": key,
        "TLSServerName": OpenBao::SERVER_NAME,
    });
    options
        .as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    assert_works(&options).await;
    let named = vault_configuration(&options, None);
    assert_eq!(
        file_options(&named.options, &named.secrets),
        ["CAFile", "CertFile", "KeyFile"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_named_ca_and_the_named_server_are_trusted() {
    let server = OpenBao::start_tls().await.unwrap();
    let token = json!({ "Token": server.root_token() });
    let with = |more: Value| {
        let mut options = options(&server, token.clone());
        let map = options.as_object_mut().unwrap();
        map.extend(more.as_object().unwrap().clone());
        options
    };
    let folder = server.ca_file().parent().map(Path::to_owned).unwrap();
    let ca_only = TempDir::new().unwrap();
    std::fs::copy(server.ca_file(), ca_only.path().join("ca.pem")).unwrap();
    let name = OpenBao::SERVER_NAME;
    for good in [
        json!({ "CAFile": server.ca_file(), "TLSServerName": name }),
        json!({ "CAPath": ca_only.path(), "TLSServerName": name }),
        json!({ "TLSSkipVerify": true }),
    ] {
        configured_vault(&with(good), None).await.unwrap();
    }
    for bad in [
        json!({}),
        json!({ "TLSServerName": name }),
        json!({ "CAFile": server.ca_file() }),
        json!({ "CAFile": server.ca_file(), "TLSServerName": "other.test" }),
        json!({ "CAFile": folder.join("client.pem"), "TLSServerName": name }),
    ] {
        let error = refusal(&with(bad.clone())).await;
        let unavailable = ErrorKind::Unavailable { retry_after: None };
        assert_eq!(error.kind(), unavailable, "{bad}: {error}");
        assert!(error.to_string().contains("certificate"), "{bad}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_file_is_read_again_when_its_token_is_refused() {
    let server = server().await;
    let policy = vault_policy("root", "intermediate", RIGHTS);
    let first = server.token("first", &policy, json!({})).await.unwrap();
    let second = server.token("second", &policy, json!({})).await.unwrap();
    let folder = TempDir::new().unwrap();
    let path = write(&folder, "token", &first);
    let params = json!({ "token_file_path": path });
    let vault = assert_works(&by(&server, "token_file", params)).await;

    let body = json!({ "token": first });
    server.post("auth/token/revoke", &body).await.unwrap();
    let error = vault.sign_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorised, "{error}");
    assert!(error.to_string().contains("has ended"), "{error}");
    write(&folder, "token", &second);
    vault.sign_leaf(&leaf_request("web")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_live_on_if_they_can() {
    let server = server().await;
    let policy = vault_policy("root", "intermediate", RIGHTS);
    for (name, settings) in [
        ("periodic", json!({ "period": "4s" })),
        (
            "renewable",
            json!({ "ttl": "4s", "explicit_max_ttl": "1h" }),
        ),
        ("orphan", json!({ "period": "4s", "no_parent": true })),
    ] {
        let token = server.token(name, &policy, settings).await.unwrap();
        let vault = assert_works(&options(&server, json!({ "Token": token }))).await;
        let renewed = async || {
            let body = json!({ "token": token });
            let found = server.post("auth/token/lookup", &body).await;
            let found = found.map_err(|error| error.to_string())?;
            let renewal = found["data"]["last_renewal_time"].as_i64();
            let made = found["data"]["creation_time"].as_i64().unwrap();
            // Twice: at two thirds of the second life.
            match renewal.is_some_and(|renewal| renewal >= made + 5) {
                true => Ok(()),
                false => Err(found.to_string()),
            }
        };
        eventually(SOON, renewed).await.unwrap();
        vault.sign_leaf(&leaf_request("web")).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_cannot_be_renewed_ends_with_one_clear_error() {
    let server = server().await;
    let policy = vault_policy("root", "intermediate", RIGHTS);
    let settings = json!({ "ttl": "5s", "renewable": false });
    let token = server.token("short", &policy, settings).await.unwrap();
    let vault = assert_works(&options(&server, json!({ "Token": token }))).await;
    let findings = vault.findings().await;
    let left = findings[0].left.unwrap();
    assert!(left <= Duration::from_secs(5), "{findings:?}");
    assert_eq!(findings[0].stops, Stops::Signing);
    let ended = eventually(SOON, async || {
        match vault.sign_leaf(&leaf_request("web")).await {
            Err(error) => Ok(error),
            Ok(_) => Err("it still signs"),
        }
    });
    let error = ended.await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unauthorised, "{error}");
    let said = error.to_string();
    assert!(said.contains("the Vault token has ended"), "{said}");
    assert!(!said.contains(&token), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preflight_names_every_line_that_a_policy_lacks() {
    let server = OpenBao::start().await.unwrap();
    let policy = vault_policy("root", "intermediate", RIGHTS);
    let lines: Vec<&str> = policy.lines().collect();
    assert_eq!(lines.len(), 21, "{policy}");
    for missing in &lines {
        let rest: Vec<&str> = lines
            .iter()
            .filter(|line| *line != missing)
            .copied()
            .collect();
        // The wildcard of one line must not be covered by another.
        let token = server
            .token("partial", &rest.join("\n"), json!({}))
            .await
            .unwrap();
        let options = options(&server, json!({ "Token": token }));
        if missing.contains("sign-self-issued") {
            assert_signs_what_is_requested(&options, missing).await;
            for mount in ["root", "intermediate"] {
                server.delete(&format!("sys/mounts/{mount}")).await.unwrap();
            }
            continue;
        }
        let error = refusal(&options).await;
        assert_eq!(error.kind(), ErrorKind::Unauthorised, "{missing}: {error}");
        let wanted = format!("the Vault token lacks rights, add to its policy:\n\n{missing}\n");
        assert_eq!(error.to_string(), wanted);
        assert!(
            server.get("sys/mounts/root").await.is_err(),
            "nothing was made"
        );
    }
}

/// Without `sudo` a new key in the same mount is cross-signed, and so is another CA's root that
/// comes with a request; one without is not.
async fn assert_signs_what_is_requested(options: &Value, missing: &str) {
    let old = configured_vault(options, None).await.unwrap();
    let (_, _, state) = issuers_of(&old, 1, false).await.unwrap();
    let capabilities = old.describe().capabilities;
    assert!(capabilities.cross_sign && capabilities.needs_root_csr);
    let new = configured_vault(options, Some(state)).await.unwrap();
    let (root, _, _) = issuers_of(&new, 2, true).await.unwrap();
    let link = old.cross_sign(&cross_sign_request(&root)).await.unwrap();
    assert_stands_in(&link, &root);

    let built_in = BuiltIn::new();
    let foreign = built_in.root(&root_request(3, false)).await.unwrap();
    let mut request = cross_sign_request(&foreign.certificate);
    request.csr = built_in.root_csr().await.unwrap();
    let link = old.cross_sign(&request).await.unwrap();
    assert_stands_in(&link, &foreign.certificate);

    request.csr = None;
    let error = old.cross_sign(&request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains(missing), "{error}");
}

/// `link` has the name, the key and the key identifier of `root`, and is another certificate.
fn assert_stands_in(link: &[u8], root: &[u8]) {
    assert_ne!(link, root);
    let [link, root] = [link, root].map(|der| CheckedIntermediate::restore(der).unwrap());
    let [link, root] = [link.issuer(), root.issuer()];
    assert_eq!(link.subject_der(), root.subject_der());
    assert_eq!(link.spki_der(), root.spki_der());
    assert_eq!(link.subject_key_id(), root.subject_key_id());
    assert_eq!(link.path_length(), root.path_length());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mount_may_be_in_a_namespace_of_its_own() {
    let server = OpenBao::start().await.unwrap();
    for namespace in ["mesh", "security"] {
        let path = format!("sys/namespaces/{namespace}");
        server.post(&path, &json!({})).await.unwrap();
    }
    let token = json!({ "Token": server.root_token() });
    let mut options = options(&server, token);
    options["IntermediatePKINamespace"] = "mesh".into();
    options["RootPKINamespace"] = "security/".into();
    assert_works(&options).await;
    assert!(server.get("sys/mounts/root").await.is_err());
    for mounts in ["security/sys/mounts/root", "mesh/sys/mounts/intermediate"] {
        server.get(mounts).await.unwrap();
    }
    // The same path in two namespaces is two mounts.
    options["IntermediatePKIPath"] = "root".into();
    assert_works(&options).await;
    server.get("mesh/sys/mounts/root").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_in_a_namespace_works_there() {
    let server = OpenBao::start().await.unwrap();
    let put = async |path: &str, body: Value| {
        server.post(path, &body).await.unwrap();
    };
    put("sys/namespaces/mesh", json!({})).await;
    let policy = vault_policy("root", "intermediate", RIGHTS);
    put(
        "mesh/sys/policies/acl/chancery",
        json!({ "policy": policy }),
    )
    .await;
    put("mesh/sys/auth/userpass", json!({ "type": "userpass" })).await;
    let user = json!({ "password": "canary", "token_policies": ["chancery"] });
    put("mesh/auth/userpass/users/ca", user).await;
    let login = json!({ "username": "ca", "password": "canary" });
    let mut options = by(&server, "userpass", login);
    options["namespace"] = "mesh".into();
    assert_works(&options).await;
    server.get("mesh/sys/mounts/root").await.unwrap();
}
