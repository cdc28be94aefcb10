//! The page on own roots tells the truth: its commands are run one after another, by a shell and
//! OpenSSL, and what they make is handed to the built-in CA where the page hands it to Chancery.
#![cfg(feature = "builtin")]
#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chancery_core::{
    CheckedRoot, Datacenter, KeyUsages, OperationId, PeerRole, Serial, Timestamp, TrustBundle,
    TrustDomain, certificates_from_pem, certificates_to_pem,
};
use chancery_providers::{
    AcceptIntermediateRequest, BuiltIn, CaProvider, ConfigureRequest, ExtendedKeyUsage,
    IntermediateAnswer, IntermediateRequest, IntermediateTemplate, KeySpec, LeafRequest,
    LeafTemplate, RootRequest, RootTemplate, Validity, split_secrets,
};
use rustls_pki_types::CertificateDer;
use serde_json::Value;

const PAGE: &str = include_str!("../docs/own-root.md");
const DOMAIN: &str = "11111111-2222-3333-4444-555555555555.consul";

#[tokio::test]
async fn every_command_on_the_page_does_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let mut mesh = Mesh::default();
    let mut handed = 0;
    for block in blocks("sh") {
        if !block.starts_with("chancery ") {
            shell(folder.path(), &block);
            continue;
        }
        for command in block.lines() {
            let words: Vec<&str> = command.split_whitespace().collect();
            match words[..] {
                [
                    "chancery",
                    "connect",
                    "ca",
                    "set-config",
                    "-config-file",
                    file,
                ] => {
                    mesh.set_config(&folder.path().join(file)).await;
                }
                ["chancery", "connect", "ca", "csr", ">", file] => {
                    std::fs::write(folder.path().join(file), mesh.csr().await).unwrap();
                }
                ["chancery", "connect", "ca", "set-signed", file] => {
                    mesh.set_signed(&folder.path().join(file)).await;
                }
                _ => panic!("unknown command: {command}"),
            }
            handed += 1;
        }
    }
    assert_eq!(handed, 6);
}

/// What the page says of errors is somewhere in the errors that the program has: the rest of
/// each is in the tests beside the code.
#[test]
fn the_errors_on_the_page_are_the_programs() {
    let sources = [
        include_str!("../src/builtin/import.rs"),
        include_str!("../src/builtin/issuer.rs"),
        include_str!("../src/builtin/own_root/mod.rs"),
        include_str!("../src/builtin/own_root/vet.rs"),
        include_str!("../../core/src/certificate/violation.rs"),
    ];
    let sources = sources.concat().replace("\\\n", " ");
    // What reads keys is told which option it reads.
    let sources = sources.replace("{option}", "PrivateKey");
    let sources = sources.split_whitespace().collect::<Vec<_>>().join(" ");
    // The rule fills these in.
    let patterns = [("needed is keyCertSign", "needed is {allowed}")];
    let (_, table) = PAGE.split_once("| The error says |").unwrap();
    let table = table.split("\n\n").next().unwrap();
    let mut seen = 0;
    for row in table.lines().skip(2) {
        let said = row.rsplit_once(" | ").unwrap().1.trim_end_matches(" |");
        for text in said.split("`").skip(1).step_by(2) {
            let found = patterns.iter().find(|(shown, _)| *shown == text);
            let pattern = found.map_or(text, |(_, pattern)| pattern);
            assert!(sources.contains(pattern), "no error says {text:?}");
            seen += 1;
        }
    }
    assert_eq!(seen, 14);
}

/// OpenSSL's opinion of leafs under a name that has several attributes in a set and one twice.
#[tokio::test]
async fn openssl_verifies_leafs_under_a_name_of_odd_shape() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.json");
    let body = serde_json::json!({ "Provider": "consul", "Config": {
        "PrivateKey": include_str!("../src/builtin/testdata/multi-name.key"),
        "RootCert": include_str!("../src/builtin/testdata/multi-name.pem"),
    }});
    std::fs::write(&file, body.to_string()).unwrap();
    let mut mesh = Mesh::default();
    mesh.set_config(&file).await;
}

fn blocks(language: &str) -> Vec<String> {
    let open = format!("```{language}\n");
    PAGE.split(open.as_str())
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

fn shell(folder: &Path, script: &str) {
    let ran = Command::new("sh")
        .args(["-euc", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{script}\n{errors}");
}

/// What stands in for Chancery: the CA that was configured last.
#[derive(Default)]
struct Mesh {
    provider: BuiltIn,
    root: Option<CertificateDer<'static>>,
}

impl Mesh {
    async fn set_config(&mut self, file: &Path) {
        let text = std::fs::read_to_string(file).unwrap();
        let Value::Object(mut body) = serde_json::from_str(&text).unwrap() else {
            panic!("no object: {text}");
        };
        assert_eq!(body["Provider"], "consul");
        let Some(Value::Object(options)) = body.remove("Config") else {
            panic!("no options: {text}");
        };
        let offline = options.contains_key("ExternalIntermediate");
        let (options, secrets) = split_secrets(options);
        self.provider = BuiltIn::new();
        let request = ConfigureRequest {
            trust_domain: domain(),
            datacenter: Datacenter::parse("dc1").unwrap(),
            options,
            secrets,
            state: None,
        };
        self.provider.configure(&request).await.unwrap();
        let request = RootRequest {
            operation: OperationId::from_bytes([1; 16]),
            renew: false,
            template: RootTemplate::new(
                "consul",
                &domain(),
                [1; 8],
                serial(1),
                KeySpec::EcP256,
                Duration::from_secs(3650 * 86_400),
                now(),
            ),
        };
        self.root = Some(self.provider.root(&request).await.unwrap().certificate);
        if offline {
            self.provider.sign_leaf(&leaf()).await.unwrap_err();
        } else {
            self.assert_signs().await;
        }
    }

    async fn csr(&self) -> String {
        let request = IntermediateRequest {
            operation: OperationId::from_bytes([2; 16]),
            renew: false,
            template: IntermediateTemplate::new(
                "consul",
                &domain(),
                [2; 8],
                serial(2),
                Duration::from_secs(365 * 86_400),
                now(),
            ),
            key: KeySpec::EcP256,
        };
        match self.provider.intermediate(&request).await.unwrap() {
            IntermediateAnswer::Csr { csr, .. } => csr_pem(&csr),
            other => panic!("no CSR: {other:?}"),
        }
    }

    async fn set_signed(&self, file: &Path) {
        let chain = certificates_from_pem(&std::fs::read(file).unwrap()).unwrap();
        let chain = chain.into_iter().map(CertificateDer::from).collect();
        let request = AcceptIntermediateRequest { chain };
        self.provider.accept_intermediate(&request).await.unwrap();
        self.assert_signs().await;
    }

    async fn assert_signs(&self) {
        let chain = self.provider.sign_leaf(&leaf()).await.unwrap();
        let root = self.root.as_ref().unwrap();
        openssl_verifies(&chain, root);
        let root = CheckedRoot::restore(root).unwrap();
        let bundle = TrustBundle::new(domain(), [root]).unwrap();
        let chain: Vec<&[u8]> = chain.iter().map(AsRef::as_ref).collect();
        let algorithms = rustls::crypto::aws_lc_rs::default_provider();
        let algorithms = algorithms.signature_verification_algorithms.all;
        bundle
            .verify_peer(&chain, PeerRole::Server, algorithms, now())
            .unwrap();
    }
}

fn openssl_verifies(chain: &[CertificateDer<'_>], root: &CertificateDer<'_>) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, certificates: &[CertificateDer<'_>]| {
        let pem = certificates_to_pem(certificates);
        std::fs::write(folder.path().join(name), pem).unwrap();
    };
    write("root.pem", std::slice::from_ref(root));
    write("leaf.pem", &chain[..1]);
    // The file must hold a certificate; the root does no harm there.
    write(
        "links.pem",
        &[&chain[1..], std::slice::from_ref(root)].concat(),
    );
    for purpose in ["sslclient", "sslserver"] {
        let command = format!(
            "openssl verify -x509_strict -purpose {purpose} -CAfile root.pem \
             -untrusted links.pem leaf.pem"
        );
        shell(folder.path(), &command);
    }
}

fn domain() -> TrustDomain {
    TrustDomain::parse(DOMAIN).unwrap()
}

fn serial(number: u8) -> Serial {
    Serial::from_be_bytes(&[number]).unwrap()
}

fn now() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::from_unix(i64::try_from(now.as_secs()).unwrap())
}

fn leaf() -> LeafRequest {
    let key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::default().serialize_request(&key);
    LeafRequest {
        csr: csr.unwrap().der().clone(),
        public_key: rcgen::PublicKeyData::subject_public_key_info(&key).into(),
        template: LeafTemplate {
            common_name: "web.svc.default.11111111.consul".to_owned(),
            uri: format!("spiffe://{DOMAIN}/ns/default/dc/dc1/svc/web"),
            serial: serial(9),
            validity: Validity::backdated(Duration::from_secs(3600), now()),
            key_usages: KeyUsages::DIGITAL_SIGNATURE,
            extended_key_usages: vec![ExtendedKeyUsage::ClientAuth, ExtendedKeyUsage::ServerAuth],
        },
    }
}

fn csr_pem(der: &[u8]) -> String {
    let certificate = certificates_to_pem([der]);
    certificate.replace("CERTIFICATE", "CERTIFICATE REQUEST")
}
