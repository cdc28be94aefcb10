//! `chancery connect ca …` against an agent that answers by a table.

use serde_json::{Value, json};
use tempfile::TempDir;

use super::server::{Server, alone, ran};

const CONFIGURATION: &str = "GET /v1/connect/ca/configuration";

fn agent(line: &str) -> (u16, String) {
    match line {
        CONFIGURATION => (
            200,
            json!({
                "Provider": "consul", "Config": {"LeafCertTTL": "72h"}, "State": null,
                "ForceWithoutCrossSigning": false, "CreateIndex": 5, "ModifyIndex": 7,
            })
            .to_string(),
        ),
        "PUT /v1/connect/ca/configuration" => (200, String::new()),
        "PUT /v1/chancery/ca/abandon" => (409, "no change of the CA is under way".to_owned()),
        "PUT /v1/chancery/ca/csr" => (200, "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned()),
        "PUT /v1/chancery/ca/signed" => (200, String::new()),
        _ => (500, "it broke\n".to_owned()),
    }
}

fn written(text: &str, name: &str) -> (TempDir, String) {
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    let path = path.to_str().expect("a path").to_owned();
    (folder, path)
}

#[test]
fn get_config_prints_what_consuls_prints() {
    let server = Server::start(agent);
    assert_eq!(
        server.run(&["connect", "ca", "get-config"]),
        ran(
            0,
            "{\n\t\"Provider\": \"consul\",\n\t\"Config\": {\n\t\t\"LeafCertTTL\": \"72h\"\n\t},\n\
             \t\"State\": null,\n\t\"CreateIndex\": 5,\n\t\"ModifyIndex\": 7\n}\n",
            ""
        )
    );
    let broken = Server::start(|_| (403, "Permission denied".to_owned()));
    assert_eq!(
        broken.run(&["connect", "ca", "get-config"]),
        ran(
            1,
            "",
            "Error querying CA configuration: Unexpected response code: 403 (Permission denied)\n"
        )
    );
}

#[test]
fn set_config_sends_json_and_hcl_as_consuls_client_sends_it() {
    let server = Server::start(agent);
    let expected = json!({
        "Provider": "vault", "Config": {"Address": "http://a", "RootPKIPath": "r"},
        "State": null, "ForceWithoutCrossSigning": false, "CreateIndex": 0, "ModifyIndex": 0,
    });
    for (name, text) in [
        (
            "a.json",
            r#"{"provider":"vault","Config":{"Address":"http://a","RootPKIPath":"r"},"Else":1}"#,
        ),
        (
            "a.hcl",
            "Provider = \"vault\"\nConfig {\n  Address = \"http://a\"\n  RootPKIPath = \"r\"\n}\n",
        ),
        (
            "a.txt",
            "ca_provider = \"vault\"\nca_config {\n  Address = \"http://a\"\n  RootPKIPath = \"r\"\n}\n",
        ),
    ] {
        let (_folder, path) = written(text, name);
        assert_eq!(
            server.run(&["connect", "ca", "set-config", "-config-file", &path]),
            ran(0, "Configuration updated!\n", "")
        );
        assert_eq!(
            server.asked().pop().expect("a request").body,
            expected,
            "{name}"
        );
    }
    let (_folder, path) = written(r#"{"Provider":"consul","ModifyIndex":7}"#, "b.json");
    let words = ["connect", "ca", "set-config", "-config-file", &path];
    let force = [&words[..], &["-force-without-cross-signing"]].concat();
    assert_eq!(server.run(&force).code, 0);
    let sent = server.asked().pop().expect("a request").body;
    assert_eq!(
        (
            &sent["ForceWithoutCrossSigning"],
            &sent["ModifyIndex"],
            &sent["Config"]
        ),
        (&json!(true), &json!(7), &Value::Null)
    );
}

#[test]
fn set_config_fails_in_consuls_words() {
    let (_folder, empty) = written("", "empty.json");
    let (_other, half) = written("{\"Provider\":", "half.json");
    for (words, line) in [
        (&[][..], "The -config-file flag is required\n"),
        (
            &["-config-file", "/none.json"],
            "Error reading config file: open /none.json: no such file or directory\n",
        ),
        (
            &["-config-file", &empty],
            "Error parsing config file: unexpected end of JSON input\n",
        ),
        (
            &["-config-file", &half],
            "Error parsing config file: unexpected end of JSON input\n",
        ),
    ] {
        let words = [&["connect", "ca", "set-config"][..], words].concat();
        assert_eq!(alone(&words), ran(1, "", line));
    }
    let broken = Server::start(|_| (500, "could not initialize provider: x".to_owned()));
    let (_folder, path) = written("{}", "c.json");
    assert_eq!(
        broken.run(&["connect", "ca", "set-config", "-config-file", &path]),
        ran(
            1,
            "",
            "Error setting CA configuration: Unexpected response code: 500 (could not initialize \
             provider: x)\n"
        )
    );
}

#[test]
fn the_outside_signature_goes_as_it_is() {
    let server = Server::start(agent);
    let csr = server.run(&["connect", "ca", "csr"]);
    assert_eq!(csr, ran(0, "-----BEGIN CERTIFICATE REQUEST-----\n", ""));
    let (_folder, path) = written("-----BEGIN CERTIFICATE-----\n", "signed.pem");
    assert_eq!(
        server.run(&["connect", "ca", "set-signed", &path]),
        ran(0, "Intermediate accepted! It signs from now on.\n", "")
    );
    assert_eq!(
        server.run(&["connect", "ca", "abandon"]),
        ran(
            1,
            "",
            "Error giving up the change: Unexpected response code: 409 (no change of the CA is \
             under way)\n"
        )
    );
    assert_eq!(
        server.lines(),
        [
            "PUT /v1/chancery/ca/csr",
            "PUT /v1/chancery/ca/signed",
            "PUT /v1/chancery/ca/abandon"
        ]
    );
    assert_eq!(
        alone(&["connect", "ca", "rotate", "-retire-after", "1h"]).code,
        1
    );
}
