use chancery_core::{Datacenter, TrustDomain};
use serde_json::json;

use super::*;
use crate::{ErrorKind, split_secrets};

fn good() -> Value {
    json!({
        "Address": "https://vault.example.com:8200/",
        "Token": "t",
        "RootPKIPath": "root",
        "IntermediatePKIPath": "/teams/mesh/intermediate/",
    })
}

fn parse(options: Value) -> Result<VaultOptions, ProviderError> {
    let Value::Object(options) = options else {
        panic!("an object");
    };
    let (options, secrets) = split_secrets(options);
    VaultOptions::parse(&ConfigureRequest {
        trust_domain: TrustDomain::parse("11111111-2222-3333-4444-555555555555.consul").unwrap(),
        datacenter: Datacenter::parse("dc1").unwrap(),
        options,
        secrets,
        state: None,
    })
}

/// `good` with one option more or other.
fn with(name: &str, value: Value) -> Value {
    let mut options = good();
    options[name] = value;
    options
}

fn method(block: Value) -> Value {
    let mut options = with("AuthMethod", block);
    options["Token"] = Value::Null;
    options
}

#[test]
fn both_spellings_mean_the_same_and_slashes_do_not_count() {
    let snake = json!({
        "address": "https://vault.example.com:8200",
        "token": " t\n",
        "root_pki_path": "root/",
        "intermediate_pki_path": "teams/mesh/intermediate",
        "namespace": "mesh/",
        "root_pki_namespace": "security",
        "tls_skip_verify": "true",
    });
    let (camel, snake) = (parse(good()).unwrap(), parse(snake).unwrap());
    assert_eq!(camel.address, snake.address);
    assert_eq!(camel.intermediate.mount, "teams/mesh/intermediate");
    assert_eq!(snake.intermediate.mount, "teams/mesh/intermediate");
    assert_eq!(snake.root.namespace, "security");
    assert_eq!(snake.intermediate.namespace, "mesh");
    assert!(snake.tls.skip_verify && !camel.tls.skip_verify);
}

#[test]
fn every_mistake_has_its_own_words() {
    for (options, says) in [
        (with("Token", "".into()), "must provide a Vault token"),
        (
            with("Token", "a b".into()),
            "the Vault token is none: it must be visible ASCII, at most 8192 bytes",
        ),
        (
            with("RootPKIPath", "".into()),
            "must provide a valid path to a root PKI backend",
        ),
        (
            with("RootPKIPath", "/".into()),
            "must provide a valid path to a root PKI backend",
        ),
        (
            with("IntermediatePKIPath", Value::Null),
            "must provide a valid path for the intermediate PKI backend",
        ),
        (
            with("RootPKIPath", "a/../b".into()),
            "\"a/../b\" is no path of a mount: letters, digits, '-', '_' and '.' between slashes are allowed",
        ),
        (
            with("RootPKIPath", "a?b".into()),
            "\"a?b\" is no path of a mount: letters, digits, '-', '_' and '.' between slashes are allowed",
        ),
        (
            with("RootPKIPath", "teams/mesh/intermediate".into()),
            "RootPKIPath and IntermediatePKIPath must be two mounts, both are teams/mesh/intermediate/",
        ),
        (
            with("Namespace", "a\r\nb".into()),
            "Namespace \"a\\r\\nb\" is no namespace: letters, digits, '-', '_' and '.' between slashes are allowed",
        ),
        (
            with("LeafCertTTL", "59m".into()),
            "leaf cert TTL must be greater or equal than 1h0m0s",
        ),
        (with("Address", "".into()), "must provide a Vault address"),
        (
            with("Address", "vault".into()),
            "Address is no URL, it must be like https://vault.example.com:8200",
        ),
        (
            with("Address", "unix:///run/vault".into()),
            "Address is neither http:// nor https:// and a host, it must be like https://vault.example.com:8200",
        ),
        (
            with("Address", "https://me:canary@vault".into()),
            "Address holds a user name or password, it must be like https://vault.example.com:8200",
        ),
        (
            with("Address", "https://vault/?a=b".into()),
            "Address holds a query or fragment, it must be like https://vault.example.com:8200",
        ),
        (
            with("CertFile", "c.pem".into()),
            "CertFile needs KeyFile beside it",
        ),
        (
            with("KeyFile", "k.pem".into()),
            "KeyFile needs CertFile beside it",
        ),
        (
            with("RootCert", "pem".into()),
            "PrivateKey and RootCert are options of the built-in CA: import your root into root/ in Vault, it is used from there",
        ),
        (
            with("CAFile", json!(["a"])),
            "error decoding config: 1 error(s) decoding:\n\n* 'CAFile' expected type 'string', got unconvertible type '[]interface {}'",
        ),
        (
            with("TLSSkipVerify", "maybe".into()),
            "error decoding config: 1 error(s) decoding:\n\n* cannot parse 'TLSSkipVerify' as bool: strconv.ParseBool: parsing \"maybe\": invalid syntax",
        ),
        (
            with("AuthMethod", json!({"Type": "approle"})),
            "only one of Vault token or Vault auth method can be provided, but not both",
        ),
        (
            method(json!({"Type": "ldap"})),
            "auth method \"ldap\" is not supported, use one of approle, cert, jwt, kubernetes, token_file, userpass",
        ),
        (
            method(json!({})),
            "auth method \"\" is not supported, use one of approle, cert, jwt, kubernetes, token_file, userpass",
        ),
        (
            method(json!({"Type": "approle"})),
            "auth method approle needs role_id or role_id_file_path in Params",
        ),
        (
            method(json!({"Type": "kubernetes"})),
            "auth method kubernetes needs role in Params",
        ),
        (
            method(json!({"Type": "jwt", "Params": {"role": "r"}})),
            "auth method jwt needs path in Params",
        ),
        (
            method(json!({"Type": "userpass", "Params": {"username": "u"}})),
            "auth method userpass needs password in Params",
        ),
        (
            method(json!({"Type": "token_file"})),
            "auth method token_file needs token_file_path in Params",
        ),
    ] {
        let error = parse(options.clone()).err().unwrap();
        assert_eq!(error.to_string(), says, "{options}");
        assert_eq!(error.kind(), ErrorKind::Misconfigured, "{options}");
    }
}

#[test]
fn mistakes_are_told_in_consuls_order() {
    let mut options = json!({ "LeafCertTTL": "59m", "Address": "" });
    for (says, name, value) in [
        ("must provide a Vault token", "Token", "t"),
        (
            "must provide a valid path to a root PKI backend",
            "RootPKIPath",
            "a",
        ),
        (
            "must provide a valid path for the intermediate PKI backend",
            "IntermediatePKIPath",
            "b",
        ),
        (
            "leaf cert TTL must be greater or equal than 1h0m0s",
            "LeafCertTTL",
            "72h",
        ),
        (
            "must provide a Vault address",
            "Address",
            "http://127.0.0.1:8200",
        ),
    ] {
        assert_eq!(parse(options.clone()).err().unwrap().to_string(), says);
        options[name] = value.into();
    }
    parse(options).unwrap();
}
