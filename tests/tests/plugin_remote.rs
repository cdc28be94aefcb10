//! Plugins that sign through a server, each in the real sandbox, and what is said when the server
//! does not do what it should: the error has the right kind and names the path that was asked.
//! `remote-ca` has OpenBao 2.7.2 behind it; `aws-pca` has moto 5.2.5, as it is and corrected.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::time::Duration;

use chancery_providers::{
    CaProvider, CleanUpRequest, CleanUpScope, ErrorKind, Guard, PluginFile, ProviderError, Wasm,
};
use chancery_tests::{
    Fault, FaultyProxy, Moto, OpenBao, guard_settings, guest, leaf_request, openbao_role,
    root_request, vault_configuration,
};
use serde_json::{Value, json};

const UNAVAILABLE: ErrorKind = ErrorKind::Unavailable { retry_after: None };

/// `package` with these options of the provider and of its own.
async fn plugin(package: &str, options: Value, config: Value) -> Result<Wasm, ProviderError> {
    let path = guest(package).await;
    let mut all = json!({ "path": path, "config": config });
    let all_options = all.as_object_mut().unwrap();
    all_options.extend(options.as_object().unwrap().clone());
    let mut wasm = Wasm::of(PluginFile::load(&path, None, None).await?);
    wasm.configure(&vault_configuration(&all, None)).await?;
    Ok(wasm)
}

fn host_of(url: &str) -> &str {
    url.split_once("://").unwrap().1
}

/// `remote-ca` at `url`, which may be a proxy's, with a root.
async fn remote_ca(server: &OpenBao, url: &str) -> Result<Wasm, ProviderError> {
    openbao_role(server, "mesh").await.unwrap();
    let token = server.token("mesh", &rights(""), json!({})).await.unwrap();
    // This machine may be busy: the plugin itself waits for a server for four seconds.
    let options = json!({ "allow_http": [host_of(url)], "timeout": "30s" });
    let config = json!({ "address": url, "token": token, "mount": "mesh" });
    let wasm = plugin("remote-ca", options, config).await?;
    wasm.root(&root_request(1, false)).await?;
    Ok(wasm)
}

/// The rights of a token, without those on paths that begin so.
fn rights(without: &str) -> String {
    [
        r#"path "mesh/root/generate/internal" { capabilities = ["update"] }"#,
        r#"path "mesh/issuer/*" { capabilities = ["read", "update", "delete"] }"#,
        r#"path "mesh/key/*" { capabilities = ["delete"] }"#,
    ]
    .into_iter()
    .filter(|line| without.is_empty() || !line.contains(without))
    .collect::<Vec<_>>()
    .join("\n")
}

async fn failed(plugin: &Wasm) -> ProviderError {
    let signed = plugin.sign_leaf(&leaf_request("web")).await;
    signed.expect_err("a leaf was signed")
}

fn assert_told(error: &ProviderError, kind: ErrorKind, parts: &[&str]) {
    assert_eq!(error.kind(), kind, "{error}");
    for part in parts {
        assert!(error.to_string().contains(part), "no {part:?} in {error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn openbao_sealed_forbidding_and_gone_is_told_by_the_path() {
    let mut server = OpenBao::start().await.unwrap();
    let plugin = remote_ca(&server, &server.url()).await.unwrap();
    plugin.sign_leaf(&leaf_request("web")).await.unwrap();

    server.seal().await.unwrap();
    let sealed = ["/sign/leaf: OpenBao answered 503: ", "sealed"];
    assert_told(&failed(&plugin).await, UNAVAILABLE, &sealed);
    server.unseal().await.unwrap();
    plugin.sign_leaf(&leaf_request("web")).await.unwrap();

    let policy = |text: String| json!({ "policy": text });
    let acl = "sys/policies/acl/mesh";
    server
        .post(acl, &policy(rights("mesh/issuer")))
        .await
        .unwrap();
    let forbidden = ["/sign/leaf: OpenBao answered 403: ", "permission denied"];
    assert_told(&failed(&plugin).await, ErrorKind::Unauthorised, &forbidden);
    server.post(acl, &policy(rights(""))).await.unwrap();
    plugin.sign_leaf(&leaf_request("web")).await.unwrap();

    server.delete("mesh/roles/leaf").await.unwrap();
    let error = failed(&plugin).await;
    assert_told(
        &error,
        ErrorKind::Refused,
        &["/sign/leaf: ", "unknown role"],
    );

    server.stop();
    let gone = ["/sign/leaf: 127.0.0.1:", "it refuses connections"];
    assert_told(&failed(&plugin).await, UNAVAILABLE, &gone);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_talks_nonsense_or_slowly_is_told_by_the_path() {
    let server = OpenBao::start().await.unwrap();
    let proxy = FaultyProxy::start(&server.url(), "/sign/").await.unwrap();
    let plugin = remote_ca(&server, &proxy.url()).await.unwrap();
    plugin.sign_leaf(&leaf_request("web")).await.unwrap();
    let html = || b"<html>Hello</html>".to_vec();
    let elsewhere = server.url() + "/v1/sys/health";
    let cases = [
        (
            Fault::Answer(200, "text/html", html()),
            ErrorKind::Broken,
            "the answer is no JSON",
        ),
        (
            Fault::Answer(200, "application/json", b"{}".to_vec()),
            ErrorKind::Broken,
            "there is no certificate in this text",
        ),
        (
            Fault::Answer(502, "text/html", html()),
            UNAVAILABLE,
            "OpenBao answered 502",
        ),
        (
            Fault::Answer(429, "application/json", b"{}".to_vec()),
            ErrorKind::RateLimited { retry_after: None },
            "too much to do",
        ),
        (
            Fault::Redirect(307, elsewhere),
            ErrorKind::Broken,
            "OpenBao answered 307",
        ),
        (Fault::CutAfter(40), UNAVAILABLE, "it broke off"),
        (
            Fault::Raw(b"How do you do?\r\n\r\n".to_vec()),
            ErrorKind::Broken,
            "does not speak HTTP",
        ),
        (
            Fault::Long(2 << 20),
            ErrorKind::Broken,
            "the answer is too long",
        ),
        (
            Fault::Drip(Duration::from_millis(100)),
            UNAVAILABLE,
            "it did not answer in time",
        ),
    ];
    for (fault, kind, said) in cases {
        let before = proxy.spoilt();
        proxy.spoil(Some(fault));
        assert_told(&failed(&plugin).await, kind, &["/sign/leaf: ", said]);
        assert_eq!(proxy.spoilt(), before + 1, "{said}");
    }
    proxy.spoil(None);
    plugin.sign_leaf(&leaf_request("web")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_is_spoken_only_with_whom_the_operator_trusts() {
    let server = OpenBao::start_tls_for(&["127.0.0.1", "localhost"])
        .await
        .unwrap();
    let stranger = OpenBao::start_tls().await.unwrap();
    let port = server.address().port();
    let named = format!("https://localhost:{port}");
    let inside = format!("localhost:{port}@127.0.0.0/8");
    let address = server.address().to_string();
    let configured = async |url: &str, allowed: &str, ca: &OpenBao| {
        let options = json!({ "allow_http": [allowed], "http_ca_file": ca.ca_file() });
        let config = json!({ "address": url, "token": server.root_token() });
        plugin("remote-ca", options, config).await
    };
    let engine = json!({ "type": "pki" });
    server.post("sys/mounts/pki", &engine).await.unwrap();
    configured(&server.url(), &address, &server).await.unwrap();
    configured(&named, &inside, &server).await.unwrap();

    let path = "auth/token/lookup-self: ";
    let refusals = [
        // Signed by another CA.
        (server.url(), &address, &stranger, "is not trusted"),
        // A certificate for another name.
        (
            stranger.url(),
            &stranger.address().to_string(),
            &stranger,
            "is not trusted",
        ),
        // Plain, where TLS is spoken.
        (
            server.url().replace("https", "http"),
            &address,
            &server,
            "OpenBao answered 400",
        ),
        // A name that leads to an address that is not public, without leave.
        (
            named.clone(),
            &format!("localhost:{port}"),
            &server,
            "leads to an address that is not public",
        ),
        // Nobody has named it.
        (
            named,
            &address,
            &server,
            "may not be reached: add it to allow_http",
        ),
    ];
    for (url, allowed, ca, said) in refusals {
        let error = configured(&url, allowed, ca).await.err().unwrap();
        let kind = match said {
            "OpenBao answered 400" => ErrorKind::Refused,
            _ => ErrorKind::Misconfigured,
        };
        assert_told(&error, kind, &[path, said]);
    }
}

/// `aws-pca` before moto.
async fn aws_pca(server: &Moto, secret: &str, arn: Option<&str>) -> Result<Wasm, ProviderError> {
    let options = json!({ "allow_http": [server.address().to_string()], "timeout": "30s" });
    let config = json!({
        "region": "eu-central-1",
        "access_key_id": "AKIDEXAMPLE",
        "secret_access_key": secret,
        "endpoint": server.url(),
        "ExistingARN": arn,
        "delete_on_exit": true,
    });
    plugin("aws-pca", options, config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn aws_pca_makes_a_ca_at_moto_signs_by_it_and_deletes_it() {
    let server = Moto::start_corrected().await.unwrap();
    let plugin = aws_pca(&server, Moto::SECRET, None).await.unwrap();
    let answer = plugin.root(&root_request(1, false)).await.unwrap();
    let leaf = plugin.sign_leaf(&leaf_request("web")).await.unwrap();
    assert_eq!(leaf.len(), 1);
    let over = CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: vec![answer.certificate],
    };
    plugin.clean_up(&over).await.unwrap();
    let arns = server.arns().await.unwrap();
    assert_eq!(arns.len(), 1);
    assert_eq!(server.status(&arns[0]).await.unwrap(), "ACTIVE");
    let over = CleanUpRequest {
        keep: Vec::new(),
        ..over
    };
    plugin.clean_up(&over).await.unwrap();
    assert_eq!(server.status(&arns[0]).await.unwrap(), "DELETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_secret_and_an_unknown_ca_are_told_by_the_operation() {
    let server = Moto::start_corrected().await.unwrap();
    let wrong = aws_pca(&server, "another secret", None).await;
    let error = wrong.err().unwrap();
    let said = [
        "ListCertificateAuthorities: AWS answered 400 InvalidSignatureException: ",
        "does not match",
    ];
    assert_told(&error, ErrorKind::Unauthorised, &said);
    assert!(!error.to_string().contains("another secret"), "{error}");
    let arn = "arn:aws:acm-pca:eu-central-1:123456789012:certificate-authority/none";
    let unknown = aws_pca(&server, Moto::SECRET, Some(arn)).await;
    let said = ["DescribeCertificateAuthority: AWS answered 400 ResourceNotFoundException: "];
    assert_told(&unknown.err().unwrap(), ErrorKind::Misconfigured, &said);
}

/// moto as it is knows two plain templates, and lets every certificate live for a year. What
/// comes of ours is refused by the guard, which names the rule.
#[tokio::test(flavor = "multi_thread")]
async fn what_moto_itself_signs_is_refused_by_its_rule() {
    let server = Moto::start().await.unwrap();
    // A root of a template that it does not know says of nobody that it is a CA.
    let guarded = guard(aws_pca(&server, "any", None).await.unwrap());
    let error = guarded.root(&root_request(1, false)).await.unwrap_err();
    assert_eq!(error.rule(), Some("not_ca"), "{error}");
    // With a root that is good, a leaf says nothing of what its key is for.
    let arn = server.plain_root().await.unwrap();
    let guarded = guard(aws_pca(&server, "any", Some(&arn)).await.unwrap());
    guarded.root(&root_request(1, false)).await.unwrap();
    let error = guarded.issue_leaf(&leaf_request("web")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken, "{error}");
    assert_eq!(error.rule(), Some("key_usage_missing"), "{error}");
}

fn guard(plugin: Wasm) -> Guard<Wasm> {
    Guard::new(plugin, guard_settings("wasm"))
}
