//! A faulty proxy stands before OpenBao: whatever it makes of a leaf is refused by the rule that
//! it breaks, the refusal is counted, and nothing of it reaches whoever asked.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chancery_core::{CheckedRoot, PeerRole, SignatureCheck, TrustBundle};
use chancery_providers::{
    BuiltIn, CaProvider, Call, Ending, ErrorKind, Guard, GuardSettings, Observer, Vault,
    VaultRights, vault_policy,
};
use chancery_tests::{
    OpenBao, TRUST_DOMAIN, configured_vault, cross_sign_request, guard_settings,
    intermediate_request, issuers_of, leaf_request, now, root_request, vault_configuration,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const UNAVAILABLE: ErrorKind = ErrorKind::Unavailable { retry_after: None };

/// What the proxy makes of the call that signs a leaf.
#[derive(Clone)]
enum Fault {
    /// Another question is asked: fields of it, and the role or the whole path.
    Asks(Value, &'static str),
    /// The question is passed on, and the certificate is another one.
    Certificate(fn(&str) -> String),
    /// These bytes are the whole answer.
    Raw(Vec<u8>),
}

/// What must come of it: a rule of the policy, or a kind of error and some of its words.
#[derive(Clone, Copy)]
enum Verdict {
    Kind(ErrorKind, &'static str),
    Rule(&'static str),
}

fn with_body(status: &str, body: &str) -> Fault {
    let length = body.len();
    Fault::Raw(
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
            .into_bytes(),
    )
}

fn certificate(value: &Value) -> Fault {
    with_body(
        "200 OK",
        &json!({ "data": { "certificate": value } }).to_string(),
    )
}

fn uri(path: &str) -> String {
    format!("spiffe://{TRUST_DOMAIN}/{path}")
}

fn faults() -> Vec<(&'static str, Fault, Verdict)> {
    use Verdict::{Kind, Rule};
    let asks = |fields: Value, role| Fault::Asks(fields, role);
    let broken = |says| Kind(ErrorKind::Broken, says);
    let other_csr = {
        let request = leaf_request("web");
        chancery_core::certificates_to_pem([&request.csr])
            .replace("CERTIFICATE", "CERTIFICATE REQUEST")
    };
    let web = uri("ns/default/dc/dc1/svc/web");
    let mut huge = b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n".to_vec();
    huge.resize(huge.len() + 2 * 1024 * 1024, b' ');
    let key = rcgen::KeyPair::generate().unwrap().serialize_pem();
    vec![
        ("another service", asks(json!({ "uri_sans": uri("ns/default/dc/dc1/svc/db") }), "lax"), Rule("wrong_identity")),
        ("another datacenter", asks(json!({ "uri_sans": uri("ns/default/dc/dc2/svc/web") }), "lax"), Rule("wrong_identity")),
        ("another trust domain", asks(json!({ "uri_sans": "spiffe://evil.example/ns/default/dc/dc1/svc/web" }), "lax"), Rule("wrong_identity")),
        ("no identity at all", asks(json!({ "uri_sans": "https://example.com/" }), "lax"), Rule("identity")),
        ("two identities", asks(json!({ "uri_sans": [web, uri("ns/default/dc/dc1/svc/db")] }), "lax"), Rule("uri_count")),
        ("no name", asks(json!({ "uri_sans": [] }), "lax"), Rule("uri_count")),
        ("a DNS name beside it", asks(json!({ "alt_names": "vault.example.com" }), "lax"), Rule("other_name")),
        ("an address beside it", asks(json!({ "ip_sans": "10.0.0.1" }), "lax"), Rule("other_name")),
        ("the common name as DNS name", asks(json!({ "exclude_cn_from_sans": false }), "lax"), Rule("other_name")),
        ("another key", asks(json!({ "csr": other_csr }), "lax"), Rule("key_mismatch")),
        ("two days too long", asks(json!({ "not_after": now().saturating_add(Duration::from_secs(3 * 86_400)).to_string() }), "lax"), Rule("outlives_request")),
        ("an hour too early", asks(json!({}), "early"), Rule("starts_too_early")),
        ("for servers only", asks(json!({}), "server"), Rule("purpose")),
        ("for code as well", asks(json!({}), "code"), Rule("purpose")),
        ("for anything", asks(json!({}), "any"), Rule("any_purpose")),
        ("for no key usage", asks(json!({}), "useless"), Rule("key_usage_missing")),
        ("for signing certificates", asks(json!({}), "signer"), Rule("key_usage_forbidden")),
        ("signed by another issuer", asks(json!({}), "other"), Rule("issuer_name")),
        ("a CA", Fault::Certificate(|_| forged(true)), Rule("leaf_is_ca")),
        ("an unrelated certificate", Fault::Certificate(|_| forged(false)), Rule("key_usage_missing")),
        ("a flipped signature", Fault::Certificate(flipped), Rule("signature")),
        ("bytes after the certificate", Fault::Certificate(longer), Rule("malformed")),
        ("half a certificate", Fault::Certificate(halved), Rule("malformed")),
        ("twice the certificate", Fault::Certificate(|pem| format!("{pem}\n{pem}")), broken("several")),
        ("a request", Fault::Certificate(|pem| pem.replace("CERTIFICATE", "CERTIFICATE REQUEST")), broken("")),
        ("no PEM", certificate(&json!("MIIB")), broken("")),
        ("a private key", certificate(&json!(key)), broken("")),
        ("no certificate", certificate(&Value::Null), broken("not JSON of the expected form")),
        ("a number", certificate(&json!(7)), broken("not JSON of the expected form")),
        ("no data", with_body("200 OK", "{}"), broken("")),
        ("nothing", with_body("200 OK", ""), broken("")),
        ("HTML", with_body("200 OK", "<html>It works!</html>"), broken("not JSON")),
        ("no UTF-8", with_body("200 OK", "{\"data\": \u{fffd}"), broken("not JSON")),
        ("a deep answer", with_body("200 OK", &"[".repeat(100_000)), broken("not JSON")),
        ("64 MiB", Fault::Raw(huge), broken("has more than 1048576 bytes")),
        ("a redirect to another host", Fault::Raw(b"HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n".to_vec()), broken("Code: 307")),
        ("a gateway's page", with_body("502 Bad Gateway", "<html>502</html>"), Kind(UNAVAILABLE, "Code: 502")),
        ("an error", with_body("500 Internal Server Error", r#"{"errors":["disk hvs.CAESIcanaryCanaryCanary"]}"#), Kind(UNAVAILABLE, "* disk …")),
        ("a refusal", with_body("400 Bad Request", r#"{"errors":["no"]}"#), Kind(ErrorKind::Refused, "* no")),
        ("forbidden", with_body("403 Forbidden", r#"{"errors":["permission denied"]}"#), Kind(ErrorKind::Unauthorised, "the token needs \"update\"")),
        ("no such path", with_body("404 Not Found", r#"{"errors":[]}"#), Kind(ErrorKind::Misconfigured, "Code: 404")),
        ("too much", Fault::Raw(b"HTTP/1.1 429 Too Many\r\nRetry-After: 77\r\nContent-Length: 0\r\n\r\n".to_vec()), Kind(ErrorKind::RateLimited { retry_after: Some(Duration::from_secs(77)) }, "Code: 429")),
        ("half an answer", Fault::Raw(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{".to_vec()), Kind(UNAVAILABLE, "broke off")),
        ("another protocol", Fault::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), Kind(UNAVAILABLE, "")),
        ("silence", Fault::Raw(Vec::new()), Kind(UNAVAILABLE, "")),
    ]
}

/// A certificate that somebody made at home.
fn forged(ca: bool) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    if ca {
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    }
    params.self_signed(&key).unwrap().pem()
}

fn altered(pem: &str, alter: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut chain = chancery_core::certificates_from_pem(pem.as_bytes()).unwrap();
    alter(&mut chain[0]);
    chancery_core::certificates_to_pem(chain)
}

fn flipped(pem: &str) -> String {
    altered(pem, |der| {
        let last = der.len() - 1;
        der[last] ^= 1;
    })
}

fn longer(pem: &str) -> String {
    altered(pem, |der| der.extend_from_slice(b"more"))
}

fn halved(pem: &str) -> String {
    altered(pem, |der| der.truncate(der.len() / 2))
}

/// Passes everything on, but for the call that signs leafs while there is a fault.
async fn proxy(listener: TcpListener, server: String, fault: Arc<Mutex<Option<Fault>>>) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    while let Ok((mut stream, _)) = listener.accept().await {
        let fault = fault.lock().unwrap().clone();
        let (client, server) = (client.clone(), server.clone());
        tokio::spawn(async move {
            let Some((head, mut body)) = read_request(&mut stream).await else {
                return;
            };
            let mut words = head.split(' ');
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let mut path = path.to_owned();
            let signing = path.contains("/sign/leaf-cert");
            let fault = fault.filter(|_| signing);
            match &fault {
                Some(Fault::Raw(bytes)) => {
                    let _ = stream.write_all(bytes).await;
                    return;
                }
                Some(Fault::Asks(fields, role)) => {
                    path = match *role {
                        "other" => "/v1/other/sign/lax".to_owned(),
                        role => path.replace("leaf-cert", role),
                    };
                    let mut asked: Value = serde_json::from_slice(&body).unwrap();
                    for (name, value) in fields.as_object().unwrap() {
                        asked[name] = value.clone();
                    }
                    body = asked.to_string().into_bytes();
                }
                Some(Fault::Certificate(_)) | None => {}
            }
            let token = head
                .lines()
                .find_map(|line| line.strip_prefix("x-vault-token: "))
                .unwrap_or_default();
            let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
            let passed = client
                .request(method, format!("{server}{path}"))
                .header("x-vault-token", token)
                .body(body);
            let answer = passed.send().await.unwrap();
            let status = answer.status();
            let mut text = answer.text().await.unwrap();
            if let Some(Fault::Certificate(alter)) = fault {
                let mut parsed: Value = serde_json::from_str(&text).unwrap();
                let pem = parsed["data"]["certificate"].as_str().unwrap();
                parsed["data"]["certificate"] = alter(pem).into();
                text = parsed.to_string();
            }
            let length = text.len();
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}");
            let whole = format!("{head}\r\nConnection: close\r\n\r\n{text}");
            let _ = stream.write_all(whole.as_bytes()).await;
        });
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |length| length.parse().unwrap());
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
}

/// Counts refusals by rule.
#[derive(Default)]
struct Counted(Mutex<Vec<&'static str>>);

impl Observer for Counted {
    fn started(&self, _call: &Call<'_>) {}

    fn finished(&self, _call: &Call<'_>, ending: &Ending) {
        self.0.lock().unwrap().extend(ending.rule);
    }

    fn paused(&self, _call: &Call<'_>, _pause: Duration) {}

    fn resumed(&self, _call: &Call<'_>) {}
}

fn guarded<P: CaProvider>(provider: P, observer: Arc<Counted>) -> Guard<P> {
    let settings = GuardSettings {
        leaf_signatures: SignatureCheck::Verify,
        observer,
        ..guard_settings("vault")
    };
    Guard::new(provider, settings)
}

/// Roles that sign what no leaf may be, and a CA of somebody else.
async fn careless_roles(server: &OpenBao) {
    let mount = json!({ "type": "pki", "config": { "max_lease_ttl": "87600h" } });
    server.post("sys/mounts/other", &mount).await.unwrap();
    let root = json!({ "common_name": "other", "key_type": "ec", "ttl": "87000h" });
    server
        .post("other/root/generate/internal", &root)
        .await
        .unwrap();
    let lax = json!({
        "allow_any_name": true,
        "allow_ip_sans": true,
        "allowed_uri_sans": "*",
        "basic_constraints_valid_for_non_ca": true,
        "enforce_hostnames": false,
        "key_type": "any",
        "key_usage": ["DigitalSignature"],
        "max_ttl": "720h",
        "no_store": true,
        "require_cn": false,
        "use_csr_common_name": false,
        "use_csr_sans": false,
    });
    for (role, name, value) in [
        ("lax", "no_store", json!(true)),
        ("early", "not_before_duration", json!("1h")),
        ("server", "client_flag", json!(false)),
        ("code", "code_signing_flag", json!(true)),
        ("any", "ext_key_usage", json!(["Any"])),
        ("useless", "key_usage", json!([])),
        (
            "signer",
            "key_usage",
            json!(["DigitalSignature", "CertSign"]),
        ),
    ] {
        let mut role_of = lax.clone();
        role_of[name] = value;
        for mount in ["other", "intermediate"] {
            let path = format!("{mount}/roles/{role}");
            server.post(&path, &role_of).await.unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_a_proxy_makes_of_a_leaf_is_refused_by_its_rule() {
    let server = OpenBao::start().await.unwrap();
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let fault = Arc::new(Mutex::new(None));
    tokio::spawn(proxy(listener, server.url(), Arc::clone(&fault)));
    let options = json!({
        "Address": address,
        "Token": server.root_token(),
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    });
    configured_vault(&options, None).await.unwrap();
    careless_roles(&server).await;

    let faults = faults();
    assert!(faults.len() >= 30);
    for (name, broken, verdict) in faults {
        // A guard of its own each time: it would leave a backend like this alone.
        let counted = Arc::new(Counted::default());
        let mut guard = guarded(Vault::new(), Arc::clone(&counted));
        guard
            .configure(&vault_configuration(&options, None))
            .await
            .unwrap();
        guard.root(&root_request(1, false)).await.unwrap();
        guard
            .intermediate(&intermediate_request(1, false))
            .await
            .unwrap();
        *fault.lock().unwrap() = Some(broken);
        let error = guard.sign_leaf(&leaf_request("web")).await.err();
        let error = error.unwrap_or_else(|| panic!("{name}: a leaf came through"));
        *fault.lock().unwrap() = None;
        match verdict {
            Verdict::Rule(rule) => {
                assert_eq!(error.rule(), Some(rule), "{name}: {error}");
                assert_eq!(*counted.0.lock().unwrap(), [rule], "{name}");
            }
            Verdict::Kind(kind, says) => {
                assert_eq!(error.kind(), kind, "{name}: {error}");
                assert!(error.to_string().contains(says), "{name}: {error}");
            }
        }
        for text in [
            error.to_string(),
            format!("{error:?}"),
            error.report().to_string(),
        ] {
            for secret in ["canary", "PRIVATE", server.root_token()] {
                assert!(!text.contains(secret), "{name}: {text}");
            }
        }
        guard.sign_leaf(&leaf_request("web")).await.unwrap();
    }
}

/// A leaf of the new CA verifies against each root alone, by the certificate that the old CA has
/// signed.
#[tokio::test(flavor = "multi_thread")]
async fn vault_and_the_built_in_ca_sign_each_other() {
    let server = OpenBao::start().await.unwrap();
    let rights = VaultRights {
        mounts: true,
        roots: true,
        any_root: true,
    };
    let policy = vault_policy("root", "intermediate", rights);
    let token = server.token("chancery", &policy, json!({})).await.unwrap();
    let options = json!({
        "Address": server.url(),
        "Token": token,
        "RootPKIPath": "root",
        "IntermediatePKIPath": "intermediate",
    });
    let quiet = || Arc::new(Counted::default());
    let mut vault = guarded(Vault::new(), quiet());
    vault
        .configure(&vault_configuration(&options, None))
        .await
        .unwrap();
    let of_vault = vault
        .root(&root_request(1, false))
        .await
        .unwrap()
        .certificate;
    vault
        .intermediate(&intermediate_request(1, false))
        .await
        .unwrap();
    let mut built_in = guarded(BuiltIn::new(), quiet());
    let configuration = vault_configuration(&json!({}), None);
    built_in.configure(&configuration).await.unwrap();
    let of_built_in = built_in
        .root(&root_request(2, false))
        .await
        .unwrap()
        .certificate;

    for (old, old_root, new, new_root) in [
        (
            &vault as &dyn CaProvider,
            &of_vault,
            &built_in as &dyn CaProvider,
            &of_built_in,
        ),
        (&built_in, &of_built_in, &vault, &of_vault),
    ] {
        let link = old.cross_sign(&cross_sign_request(new_root)).await.unwrap();
        let mut chain = new.sign_leaf(&leaf_request("web")).await.unwrap();
        chain.push(link);
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        for root in [old_root, new_root] {
            let trust_domain = chancery_core::TrustDomain::parse(TRUST_DOMAIN).unwrap();
            let root = CheckedRoot::restore(root).unwrap();
            let bundle = TrustBundle::new(trust_domain, [root]).unwrap();
            let algorithms = rustls::crypto::aws_lc_rs::default_provider()
                .signature_verification_algorithms
                .all;
            bundle
                .verify_peer(&chain, PeerRole::Server, algorithms, now())
                .unwrap();
        }
    }
    // Roots of one name, as one provider makes them after another, are told apart by their keys.
    let twin = configured_vault(
        &json!({
            "Address": server.url(),
            "Token": server.root_token(),
            "RootPKIPath": "twin",
            "IntermediatePKIPath": "twin-intermediate",
        }),
        None,
    )
    .await
    .unwrap();
    let (root, _, _) = issuers_of(&twin, 1, false).await.unwrap();
    vault.cross_sign(&cross_sign_request(&root)).await.unwrap();
}
