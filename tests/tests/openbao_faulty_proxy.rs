//! A faulty proxy stands before OpenBao and spoils the answers to signing, in more than thirty
//! ways. Each is refused before anybody gets a certificate: by the name of the rule that a
//! certificate breaks, by the kind of error otherwise, and each is counted. Then the proxy is
//! honest again, and signing works.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chancery_providers::{
    CaProvider, Call, Deadlines, Ending, Guard, GuardSettings, LeafRequest, Observer, Operation,
    Outcome, Vault,
};
use chancery_tests::{
    Fault, FaultyProxy, OpenBao, guard_settings, intermediate_request, leaf_request, root_request,
    vault_configuration,
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyPair, SanType};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is expected of a spoilt answer: the rule that a certificate breaks, or the kind of
/// error.
#[derive(Clone, Copy, Debug)]
enum Expected {
    Rule(&'static str),
    Kind(&'static str),
}
use Expected::{Kind, Rule};

/// The calls that were made to sign a leaf, and how they ended.
#[derive(Default)]
struct Counted(Mutex<Vec<Ending>>);

impl Observer for Counted {
    fn started(&self, _call: &Call<'_>) {}

    fn finished(&self, call: &Call<'_>, ending: &Ending) {
        if call.operation == Operation::SignLeaf {
            self.0.lock().unwrap().push(*ending);
        }
    }

    fn paused(&self, _call: &Call<'_>, _pause: Duration) {}

    fn resumed(&self, _call: &Call<'_>) {}
}

struct Stage {
    server: OpenBao,
    proxy: FaultyProxy,
    counted: Arc<Counted>,
    state: chancery_core::Secret,
}

impl Stage {
    async fn set() -> Self {
        let server = OpenBao::start().await.unwrap();
        let proxy = FaultyProxy::start(&server.url(), "/sign/").await.unwrap();
        let counted = Arc::new(Counted::default());
        let mut stage = Self {
            server,
            proxy,
            counted,
            state: chancery_core::Secret::new(Vec::new()),
        };
        let vault = stage.guard(None).await;
        stage.state = stage.issuers(&vault).await;
        stage
    }

    fn options(&self) -> Value {
        json!({
            "Address": self.proxy.url(),
            "Token": self.server.root_token(),
            "RootPKIPath": "root",
            "IntermediatePKIPath": "intermediate",
        })
    }

    /// A guard of its own for each fault, so that none is left alone for the faults before.
    async fn guard(&self, state: Option<chancery_core::Secret>) -> Guard<Vault> {
        let short = Duration::from_secs(2);
        let deadlines = Deadlines {
            leaf: short,
            ..Deadlines::default()
        };
        let settings = GuardSettings {
            deadlines,
            observer: Arc::<Counted>::clone(&self.counted),
            ..guard_settings("vault")
        };
        let mut guard = Guard::new(Vault::new(), settings);
        let configuration = vault_configuration(&self.options(), state);
        guard.configure(&configuration).await.unwrap();
        guard
    }

    /// Root and intermediate, and what the provider remembers of them.
    async fn issuers(&self, guard: &Guard<Vault>) -> chancery_core::Secret {
        guard.root(&root_request(1, false)).await.unwrap();
        let answer = guard.intermediate(&intermediate_request(1, false)).await;
        match answer.unwrap() {
            chancery_providers::IntermediateAnswer::Ready { state, .. } => state,
            _ => panic!("no intermediate is ready"),
        }
    }

    /// A certificate that the mount itself signs for whatever is in `params`.
    async fn verbatim(&self, params: CertificateParams, key: &KeyPair, more: Value) -> String {
        let csr = params.serialize_request(key).unwrap().pem().unwrap();
        let mut body = json!({"csr": csr, "ttl": "12h", "key_usage": ["DigitalSignature"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let path = "intermediate/sign-verbatim";
        let answer = self.server.post(path, &body).await.unwrap();
        text(&answer, "/data/certificate")
    }
}

fn text(value: &Value, pointer: &str) -> String {
    let found = value.pointer(pointer).and_then(Value::as_str);
    found
        .unwrap_or_else(|| panic!("no {pointer}: {value}"))
        .to_owned()
}

/// What a good request for `uri` has in it.
fn params(uris: &[&str]) -> CertificateParams {
    let mut params = CertificateParams::default();
    let san = |uri: &&str| SanType::URI((*uri).try_into().unwrap());
    params.subject_alt_names = uris.iter().map(san).collect();
    params.key_usages = vec![rcgen::KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![
        ExtendedKeyUsagePurpose::ClientAuth,
        ExtendedKeyUsagePurpose::ServerAuth,
    ];
    params
}

/// Puts `pem` where the certificate belongs.
fn instead(pem: String) -> Fault {
    set("/data/certificate", json!(pem))
}

fn set(pointer: &'static str, value: Value) -> Fault {
    Fault::Edit(Arc::new(move |mut answer| {
        if let Some(place) = answer.pointer_mut(pointer) {
            *place = value.clone();
        }
        answer
    }))
}

fn edited(edit: impl Fn(&mut Value) + Send + Sync + 'static) -> Fault {
    Fault::Edit(Arc::new(move |mut answer| {
        edit(&mut answer);
        answer
    }))
}

/// Certificates that are none for this request.
async fn certificates(stage: &Stage, uri: &str) -> Vec<(&'static str, Fault, Expected)> {
    let other = KeyPair::generate().unwrap();
    let good = params(&[uri]);
    let another_key = stage.verbatim(good.clone(), &other, json!({})).await;
    let usages = json!({"key_usage": ["CertSign", "CRLSign", "DigitalSignature"]});
    let long = json!({"ttl": "8000h"});
    let foreign_uri =
        "spiffe://99999999-2222-3333-4444-555555555555.consul/ns/default/dc/dc1/svc/web";
    let stranger = {
        let key = KeyPair::generate().unwrap();
        let mut ca = CertificateParams::default();
        ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let root = ca.self_signed(&key).unwrap();
        let issuer = rcgen::Issuer::new(ca, key);
        let leaf = good.signed_by(&other, &issuer).unwrap();
        (leaf.pem(), root.pem())
    };
    let (stranger_leaf, stranger_root) = stranger;
    let chain = stranger_root.clone();
    vec![
        (
            "a certificate for another key",
            instead(another_key),
            Rule("key_mismatch"),
        ),
        (
            "a certificate by an unrelated CA",
            instead(stranger_leaf.clone()),
            Rule("key_mismatch"),
        ),
        (
            "an unrelated chain",
            edited(move |answer| {
                answer["data"]["certificate"] = json!(stranger_leaf);
                answer["data"]["issuing_ca"] = json!(chain);
                answer["data"]["ca_chain"] = json!([chain]);
            }),
            Rule("key_mismatch"),
        ),
        (
            "the CA in place of the leaf",
            edited(|answer| answer["data"]["certificate"] = answer["data"]["issuing_ca"].clone()),
            Rule("leaf_is_ca"),
        ),
        (
            "an unrelated CA as the leaf",
            instead(stranger_root),
            Rule("leaf_is_ca"),
        ),
        (
            "another name",
            instead(
                stage
                    .verbatim(params(&[&uri.replace("web", "db")]), &other, json!({}))
                    .await,
            ),
            Rule("wrong_identity"),
        ),
        (
            "another trust domain",
            instead(
                stage
                    .verbatim(params(&[foreign_uri]), &other, json!({}))
                    .await,
            ),
            Rule("wrong_identity"),
        ),
        (
            "too long a life",
            instead(stage.verbatim(good.clone(), &other, long).await),
            Rule("key_mismatch"),
        ),
        (
            "a key that may sign certificates",
            instead(stage.verbatim(good, &other, usages).await),
            Rule("key_mismatch"),
        ),
    ]
}

/// Certificates for the right key, by the mount itself, each with one thing wrong. The key is
/// the requester's: the mount is asked as the provider asks it, with other words.
async fn almost_right(
    stage: &Stage,
    request: &LeafRequest,
) -> Vec<(&'static str, Fault, Expected)> {
    let sign = async |path: &str, more: Value| {
        let csr = pem("CERTIFICATE REQUEST", &request.csr);
        let mut body = json!({"csr": csr, "ttl": "12h", "key_usage": ["DigitalSignature"]});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        let answer = stage.server.post(path, &body).await.unwrap();
        text(&answer, "/data/certificate")
    };
    let verbatim = "intermediate/sign-verbatim";
    let role = json!({
        "allow_any_name": true,
        "enforce_hostnames": false,
        "allowed_uri_sans": ["*"],
        "require_cn": false,
        "use_csr_sans": false,
        "max_ttl": "8000h",
        "no_store": true,
        "key_type": "any",
        "key_usage": ["DigitalSignature"],
    });
    stage
        .server
        .post("intermediate/roles/loose", &role)
        .await
        .unwrap();
    let loose = "intermediate/sign/loose";
    let mut early = role;
    early["not_before_duration"] = json!("26280h");
    stage
        .server
        .post("intermediate/roles/early", &early)
        .await
        .unwrap();
    let uri = request.template.uri.clone();
    let both = json!({"ext_key_usage": ["ClientAuth", "ServerAuth"]});
    let with = |more: Value| {
        let mut all = both.clone();
        all.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        all
    };
    vec![
        (
            "too long a life, right key",
            instead(sign(verbatim, with(json!({"ttl": "2000h"}))).await),
            Rule("outlives_request"),
        ),
        (
            "no name at all",
            instead(sign(loose, with(json!({}))).await),
            Rule("uri_count"),
        ),
        (
            "another name, right key",
            instead(sign(loose, json!({"uri_sans": uri.replace("web", "db")})).await),
            Rule("wrong_identity"),
        ),
        (
            "a second name",
            instead(sign(loose, json!({"uri_sans": format!("{uri},{uri}x")})).await),
            Rule("uri_count"),
        ),
        (
            "a name of the domain system too",
            instead(sign(loose, json!({"uri_sans": uri, "alt_names": "web.test"})).await),
            Rule("other_name"),
        ),
        (
            "another name in another trust domain, right key",
            instead(sign(loose, json!({"uri_sans": uri.replace("1111", "9999")})).await),
            Rule("wrong_identity"),
        ),
        (
            "a certificate of another purpose",
            instead(sign(verbatim, json!({"ext_key_usage": ["CodeSigning"]})).await),
            Rule("purpose"),
        ),
        (
            "for servers only",
            instead(sign(verbatim, json!({"ext_key_usage": ["ServerAuth"]})).await),
            Rule("purpose"),
        ),
        (
            "a key that may sign certificates, right key",
            instead(sign(verbatim, with(json!({"key_usage": ["CertSign"]}))).await),
            Rule("key_usage_forbidden"),
        ),
        (
            "a life that begins years ago",
            instead(sign("intermediate/sign/early", json!({"uri_sans": uri})).await),
            Rule("starts_too_early"),
        ),
        (
            "the CA bit",
            instead(
                sign(
                    "root/root/sign-intermediate",
                    json!({
                        "use_csr_values": true, "common_name": "web", "uri_sans": uri,
                    }),
                )
                .await,
            ),
            Rule("leaf_is_ca"),
        ),
        (
            "a certificate by another CA of the same root",
            instead(sign("root/sign-verbatim", with(json!({}))).await),
            Rule("issuer_name"),
        ),
    ]
}

fn pem(label: &str, der: &[u8]) -> String {
    let encoded = chancery_core::certificates_to_pem([der]);
    encoded.replace("CERTIFICATE", label)
}

/// Answers that are none.
fn no_answers(elsewhere: &str) -> Vec<(&'static str, Fault, Expected)> {
    let html = || b"<html><body>Welcome to the proxy</body></html>".to_vec();
    let json = |text: &str| Fault::Answer(200, "application/json", text.as_bytes().to_vec());
    let error = |status: u16| {
        let body = br#"{"errors":["it does not feel like it"]}"#.to_vec();
        Fault::Answer(status, "application/json", body)
    };
    vec![
        ("a page with status 200", Fault::Answer(200, "text/html", html()), Kind("broken")),
        ("a page with status 502", Fault::Answer(502, "text/html", html()), Kind("unavailable")),
        ("64 MiB", Fault::Long(64 << 20), Kind("broken")),
        ("another host (301)", Fault::Redirect(301, elsewhere.to_owned()), Kind("broken")),
        ("another host (307)", Fault::Redirect(307, elsewhere.to_owned()), Kind("broken")),
        ("another host (308)", Fault::Redirect(308, elsewhere.to_owned()), Kind("broken")),
        ("half of the JSON", Fault::CutAfter(100), Kind("unavailable")),
        ("no body where one was announced", Fault::CutAfter(0), Kind("unavailable")),
        ("JSON that ends early", json(r#"{"data": {"certificate": "#), Kind("broken")),
        ("nothing", json(""), Kind("broken")),
        ("no data", json(r#"{"data": null}"#), Kind("broken")),
        ("an empty object", json("{}"), Kind("broken")),
        ("a list", json("[]"), Kind("broken")),
        ("a very deep list", json(&"[".repeat(100_000)), Kind("broken")),
        ("no content (204)", Fault::Answer(204, "application/json", Vec::new()), Kind("broken")),
        ("bytes that are no HTTP", Fault::Raw(vec![0x16, 3, 1, 0, 0xff, 0]), Kind("unavailable")),
        ("a header that never ends", Fault::Raw(format!("HTTP/1.1 200 OK\r\nX: {}", "y".repeat(1 << 20)).into_bytes()), Kind("unavailable")),
        ("a closed connection", Fault::Raw(Vec::new()), Kind("unavailable")),
        ("a shorter length than what comes", Fault::Raw(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n{\"data\":{}}".to_vec()), Kind("broken")),
        ("a byte each 200 ms", Fault::Drip(Duration::from_millis(200)), Kind("unavailable")),
        ("500", error(500), Kind("unavailable")),
        ("503", error(503), Kind("unavailable")),
        ("429", error(429), Kind("rate limited")),
        ("400", error(400), Kind("refused")),
        ("403", error(403), Kind("unauthorised")),
        ("a number for the certificate", set("/data/certificate", json!(7)), Kind("broken")),
        ("an empty certificate", set("/data/certificate", json!("")), Kind("broken")),
        ("a certificate that is no PEM", set("/data/certificate", json!("MIIB")), Kind("broken")),
        ("PEM without a certificate", set("/data/certificate", json!("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")), Kind("broken")),
        ("half of the certificate", edited(|answer| {
            let whole = answer["data"]["certificate"].as_str().unwrap_or_default().to_owned();
            answer["data"]["certificate"] = json!(whole[..whole.len() / 2]);
        }), Kind("broken")),
        ("a certificate with another signature", edited(|answer| {
            let whole = answer["data"]["certificate"].as_str().unwrap_or_default();
            answer["data"]["certificate"] = json!(spoilt_signature(whole));
        }), Rule("signature")),
    ]
}

/// The same certificate with the last letter of its signature changed.
fn spoilt_signature(pem: &str) -> String {
    let certificates = chancery_core::certificates_from_pem(pem.as_bytes()).unwrap();
    let mut bytes: Vec<u8> = certificates[0].clone();
    *bytes.last_mut().unwrap() ^= 1;
    chancery_core::certificates_to_pem([bytes.as_slice()])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_spoilt_answer_is_refused_by_its_rule_and_nothing_is_issued() {
    let stage = Stage::set().await;
    let elsewhere = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let place = format!("http://{}/v1/sign/x", elsewhere.local_addr().unwrap());
    let request = leaf_request("web");
    let mut faults = certificates(&stage, &request.template.uri).await;
    faults.extend(almost_right(&stage, &request).await);
    faults.extend(no_answers(&place));
    assert!(faults.len() >= 30, "only {} faults", faults.len());

    let mut wrong = Vec::new();
    for (name, fault, expected) in faults {
        let guard = stage.guard(Some(stage.state.clone())).await;
        stage.issuers(&guard).await;
        stage.counted.0.lock().unwrap().clear();
        let spoilt = stage.proxy.spoilt();
        stage.proxy.spoil(Some(fault));
        let begin = Instant::now();
        let answer = guard.issue_leaf(&request).await;
        let took = begin.elapsed();
        stage.proxy.spoil(None);
        assert!(
            stage.proxy.spoilt() > spoilt,
            "{name}: no answer was spoilt"
        );
        let Err(error) = answer else {
            wrong.push(format!("{name}: a leaf was issued"));
            continue;
        };
        let counted = stage.counted.0.lock().unwrap().clone();
        let [ending] = counted.as_slice() else {
            wrong.push(format!("{name}: counted {counted:?}"));
            continue;
        };
        assert_eq!(ending.outcome, Outcome::Failed(error.kind()), "{name}");
        assert_eq!(ending.rule, error.rule(), "{name}");
        let found = (error.rule(), error.kind().to_string());
        let fits = match expected {
            Rule(rule) => error.rule() == Some(rule),
            Kind(kind) => found.1 == kind,
        };
        if !fits {
            wrong.push(format!(
                "{name}: {expected:?}, found {found:?}: {}",
                error.report()
            ));
        }
        let text = format!("{error} {error:?} {}", error.report());
        assert!(!text.contains(stage.server.root_token()), "{name}: {text}");
        assert!(text.len() < 4096, "{name}: {} letters", text.len());
        assert!(took < Duration::from_secs(10), "{name}: {took:?}");
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let visit = tokio::time::timeout(Duration::from_millis(50), elsewhere.accept()).await;
    assert!(visit.is_err(), "a redirect was followed, with the token");

    let guard = stage.guard(Some(stage.state.clone())).await;
    stage.issuers(&guard).await;
    guard.issue_leaf(&request).await.unwrap();
    assert!(!matches!(guard.describe().name.as_str(), ""));
}
