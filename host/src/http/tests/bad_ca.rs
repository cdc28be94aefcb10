//! Bad configurations of the CA, in the configuration file and as a request.
//!
//! `testdata/bad-ca.txt` holds each with all that is said about it. With `UPDATE_TESTDATA` set the
//! table is written as it is now.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::harness::serve_ca;
use crate::config::{Config, Sources};

#[tokio::test]
async fn every_bad_configuration_is_refused_with_its_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/tests/testdata/bad-ca.txt");
    let table = std::fs::read_to_string(&path).unwrap();
    let served = serve_ca().await;
    let before = served.get(PATH).await.body;
    let folder = TempDir::new().unwrap();
    let mut now = String::new();
    let mut cases = 0;
    for case in table.split("=== ").skip(1) {
        let (title, rest) = case.split_once('\n').unwrap();
        let (text, _) = rest.split_once("\n--- file\n").unwrap();
        let body: Value = serde_json::from_str(text).unwrap();
        let in_file = in_file(folder.path(), &body);
        let reply = served.send(&format!("PUT {PATH}"), "", text).await;
        assert_ne!(reply.status, 200, "{title} is accepted");
        for said in [&in_file, &reply.body] {
            assert!(!said.contains("canary"), "{title} shows a secret: {said}");
        }
        writeln!(now, "=== {title}\n{text}\n--- file").unwrap();
        write!(
            now,
            "{in_file}--- request {}\n{}\n",
            reply.status, reply.body
        )
        .unwrap();
        cases += 1;
    }
    assert_eq!(served.get(PATH).await.body, before, "something was changed");
    assert!(cases >= 60, "{cases}");
    if std::env::var_os("UPDATE_TESTDATA").is_some() {
        std::fs::write(&path, &now).unwrap();
    } else {
        assert!(now == table, "bad-ca.txt says now:\n{now}");
    }
}

/// What is said about the configuration in the file of an agent.
fn in_file(folder: &Path, body: &Value) -> String {
    let path = folder.join("agent.json");
    let text = json!({"connect": {
        "enabled": true, "ca_provider": body["Provider"], "ca_config": body["Config"],
    }});
    std::fs::write(&path, text.to_string()).unwrap();
    let sources = Sources {
        dev: true,
        hostname: "machine".to_owned(),
        paths: vec![path],
        ..Sources::default()
    };
    let said = match Config::load(&sources) {
        Ok(_) => "good, as far as can be said without asking anybody\n".to_owned(),
        Err(report) => format!("{report}\n"),
    };
    said.replace(&format!("{}/", folder.display()), "")
}

const PATH: &str = "/v1/connect/ca/configuration";
