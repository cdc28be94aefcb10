use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::ErrorKind;

fn parse(options: Value) -> Result<CaOptions, ProviderError> {
    let Value::Object(options) = options else {
        panic!("options are an object");
    };
    CaOptions::parse(&options)
}

fn hours(count: u64) -> Duration {
    Duration::from_secs(count * 3600)
}

#[test]
fn nothing_given_means_consuls_defaults() {
    assert_eq!(
        parse(json!({})).unwrap(),
        CaOptions {
            leaf_cert_ttl: hours(72),
            intermediate_cert_ttl: hours(8760),
            root_cert_ttl: hours(87_600),
            bundle_max_age: Duration::from_secs(7 * 24 * 3600),
            csr_max_per_second: 50.0,
            csr_max_concurrent: 0,
            private_key: KeySpec::EcP256,
            leaf_key: KeySpec::EcP256,
        }
    );
}

#[test]
fn both_spellings_and_weak_types_are_read() {
    let wanted = CaOptions {
        leaf_cert_ttl: hours(1),
        csr_max_per_second: 0.5,
        csr_max_concurrent: 4,
        private_key: KeySpec::Rsa4096,
        ..parse(json!({})).unwrap()
    };
    for options in [
        json!({"LeafCertTTL": "1h", "CSRMaxPerSecond": 0.5, "CSRMaxConcurrent": 4,
               "PrivateKeyType": "rsa", "PrivateKeyBits": 4096}),
        json!({"leaf_cert_ttl": "60m", "csr_max_per_second": "0.5", "csr_max_concurrent": "4",
               "private_key_type": "rsa", "private_key_bits": "4096"}),
        json!({"leafcertttl": 3_600_000_000_000_i64, "CSRMAXPERSECOND": "5e-1",
               "csrMaxConcurrent": 4.0, "PrivateKeyType": "rsa", "PrivateKeyBits": "0x1000"}),
    ] {
        assert_eq!(parse(options.clone()).unwrap(), wanted, "{options}");
    }
}

#[test]
fn null_is_absent_and_the_exact_spelling_wins() {
    let options = parse(json!({"LeafCertTTL": null})).unwrap();
    assert_eq!(options.leaf_cert_ttl, hours(72));
    let options = parse(json!({"leaf_cert_ttl": "2h", "LeafCertTTL": "3h"})).unwrap();
    assert_eq!(options.leaf_cert_ttl, hours(3));
}

/// Each rule at its edge and one past it, with Consul's text.
#[test]
fn consuls_rules_speak_consuls_words() {
    for (options, text) in [
        (json!({"LeafCertTTL": "1h"}), None),
        (
            json!({"LeafCertTTL": "59m59s"}),
            Some("leaf cert TTL must be greater or equal than 1h0m0s"),
        ),
        (
            json!({"LeafCertTTL": "8760h", "IntermediateCertTTL": "26280h"}),
            None,
        ),
        (
            json!({"LeafCertTTL": "8760h1ns"}),
            Some("leaf cert TTL must be less than 8760h0m0s"),
        ),
        (
            json!({"LeafCertTTL": "1h", "IntermediateCertTTL": "3h"}),
            None,
        ),
        (
            json!({"LeafCertTTL": "1h", "IntermediateCertTTL": "2h59m"}),
            Some("Intermediate Cert TTL must be greater or equal than 3h"),
        ),
        (json!({"IntermediateCertTTL": "216h"}), None),
        (
            json!({"IntermediateCertTTL": "215h"}),
            Some(
                "Intermediate Cert TTL must be greater or equal than 3 * LeafCertTTL \
                 (>=216h0m0s).",
            ),
        ),
        (json!({"RootCertTTL": "8760h0m1s"}), None),
        (
            json!({"RootCertTTL": "8760h"}),
            Some(
                "root cert TTL is set and is not greater than intermediate cert ttl. \
                 root cert ttl: 8760h0m0s, intermediate cert ttl: 8760h0m0s",
            ),
        ),
        (
            json!({"PrivateKeyType": "EC"}),
            Some("private key type must be either 'ec' or 'rsa'"),
        ),
        (json!({"PrivateKeyBits": 384}), None),
        (
            json!({"PrivateKeyBits": 255}),
            Some("EC key length must be one of (224, 256, 384, 521) bits"),
        ),
        (
            json!({"PrivateKeyBits": 224}),
            Some("EC key length 224 is not supported, use one of (256, 384, 521) bits"),
        ),
        (
            json!({"PrivateKeyType": "rsa"}),
            Some("RSA key length must be 2048 or 4096 bits"),
        ),
        (
            json!({"LeafCertTTL": "abc"}),
            Some(
                "error decoding config: 1 error(s) decoding:\n\n\
                 * error decoding 'LeafCertTTL': time: invalid duration \"abc\"",
            ),
        ),
        (
            json!({"LeafCertTTL": []}),
            Some(
                "error decoding config: 1 error(s) decoding:\n\n* 'LeafCertTTL' expected type \
                 'time.Duration', got unconvertible type '[]interface {}'",
            ),
        ),
        (
            json!({"PrivateKeyBits": "many", "CSRMaxPerSecond": {}}),
            Some(
                "error decoding config: 2 error(s) decoding:\n\n* 'CSRMaxPerSecond' expected type \
                 'float32', got unconvertible type 'map[string]interface {}'\n* cannot parse \
                 'PrivateKeyBits' as int: strconv.ParseInt: parsing \"many\": invalid syntax",
            ),
        ),
    ] {
        let error = parse(options.clone()).err();
        assert_eq!(
            error.as_ref().map(ToString::to_string).as_deref(),
            text,
            "{options}"
        );
        assert!(error.is_none_or(|error| error.kind() == ErrorKind::Misconfigured));
    }
}

#[test]
fn keys_of_leafs_and_ed25519_are_options_of_ours() {
    for (options, private_key, leaf_key) in [
        (json!({}), KeySpec::EcP256, KeySpec::EcP256),
        (
            json!({"PrivateKeyType": "ed25519"}),
            KeySpec::Ed25519,
            KeySpec::EcP256,
        ),
        (
            json!({"private_key_type": "ed25519", "private_key_bits": 4096}),
            KeySpec::Ed25519,
            KeySpec::EcP256,
        ),
        (
            json!({"LeafKeyBits": 384}),
            KeySpec::EcP256,
            KeySpec::EcP384,
        ),
        (
            json!({"leaf_key_bits": "521"}),
            KeySpec::EcP256,
            KeySpec::EcP521,
        ),
        (
            json!({"LeafKeyType": "rsa"}),
            KeySpec::EcP256,
            KeySpec::Rsa2048,
        ),
        (
            json!({"leaf_key_type": "rsa", "leaf_key_bits": 4096}),
            KeySpec::EcP256,
            KeySpec::Rsa4096,
        ),
    ] {
        let parsed = parse(options.clone()).unwrap();
        assert_eq!(
            (parsed.private_key, parsed.leaf_key),
            (private_key, leaf_key),
            "{options}"
        );
    }
    for (options, text) in [
        (
            json!({"LeafKeyType": "ed25519"}),
            "leaf key type is \"ed25519\", must be either 'ec' or 'rsa'",
        ),
        (
            json!({"LeafKeyBits": 2048}),
            "leaf key length is 2048 bits, with type 'ec' it must be one of (256, 384, 521)",
        ),
        (
            json!({"LeafKeyType": "rsa", "LeafKeyBits": 1024}),
            "leaf key length is 1024 bits, with type 'rsa' it must be 2048 or 4096",
        ),
    ] {
        assert_eq!(parse(options).unwrap_err().to_string(), text);
    }
}

#[test]
fn the_first_broken_rule_is_the_one_told() {
    let error = parse(json!({"LeafCertTTL": "1m", "IntermediateCertTTL": "1m",
                             "PrivateKeyType": "x"}));
    assert_eq!(
        error.unwrap_err().to_string(),
        "leaf cert TTL must be greater or equal than 1h0m0s"
    );
}

#[test]
fn skipping_the_checks_still_needs_some_time_to_live() {
    let options = parse(json!({"SkipValidate": true, "LeafCertTTL": "10s"})).unwrap();
    assert_eq!(options.leaf_cert_ttl, Duration::from_secs(10));
    for ttl in ["0s", "-1h"] {
        let error = parse(json!({"SkipValidate": "true", "LeafCertTTL": ttl})).unwrap_err();
        assert!(
            error.to_string().starts_with("LeafCertTTL must be"),
            "{error}"
        );
    }
}

proptest! {
    /// Whatever is given, the answer is options within Consul's rules or a text.
    #[test]
    fn any_value_is_read_or_refused(
        name in prop::sample::select(vec![
            "LeafCertTTL", "intermediate_cert_ttl", "RootCertTTL", "CSRMaxPerSecond",
            "csr_max_concurrent", "PrivateKeyBits", "SkipValidate", "private_key_type",
        ]),
        value in prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            "[-+0-9.a-zµ]{0,12}".prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ],
    ) {
        match parse(json!({ name: value })) {
            Ok(options) => {
                prop_assert!(options.leaf_cert_ttl > Duration::ZERO);
                prop_assert!(options.root_cert_ttl > options.intermediate_cert_ttl);
                prop_assert!(options.csr_max_per_second >= 0.0);
            }
            Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Misconfigured),
        }
    }
}
