use serde_json::json;

use super::*;

fn spec(name: &str, kind: OptionKind) -> OptionSpec {
    OptionSpec {
        name: name.to_owned(),
        kind,
        required: false,
        default: None,
        about: "what it means".to_owned(),
    }
}

fn object(value: Value) -> OptionMap {
    let Value::Object(map) = value else {
        panic!("an object");
    };
    map
}

fn all_kinds() -> Vec<OptionSpec> {
    vec![
        spec("address", OptionKind::Url),
        spec("token", OptionKind::Secret),
        spec("mount", OptionKind::Text),
        spec("bits", OptionKind::Number),
        spec("strict", OptionKind::Truth),
        spec("wait", OptionKind::Duration),
        spec("names", OptionKind::Texts),
    ]
}

#[test]
fn each_kind_is_read_in_the_order_of_the_list() {
    let given = object(json!({
        "names": ["a", "b"], "wait": "1h1.5s", "strict": false, "bits": -7, "Mount": "pki",
        "token": "canary", "address": "https://ca.example.com:8200/v1?x=1", "unset": null,
    }));
    let mut given = given;
    given.remove("unset");
    let checked = check(&all_kinds(), &given).unwrap();
    let text = |text: &str| OptionValue::Text(text.to_owned());
    let expected = [
        ("address", text("https://ca.example.com:8200/v1?x=1")),
        ("token", text("canary")),
        ("mount", text("pki")),
        ("bits", OptionValue::Number(-7)),
        ("strict", OptionValue::Truth(false)),
        ("wait", OptionValue::Duration(3_601_500)),
        ("names", OptionValue::Texts(vec!["a".into(), "b".into()])),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(checked.values, expected);
    assert!(checked.keys.is_empty());
}

#[test]
fn everything_wrong_is_said_at_once_and_no_secret_is_quoted() {
    let mut specs = all_kinds();
    let mut needed = spec("needed", OptionKind::Text);
    needed.required = true;
    specs.push(needed);
    specs.push(spec("signing_key", OptionKind::PrivateKey));
    let given = object(json!({
        "names": ["a", 2], "wait": "soon", "strict": "perhaps", "bits": 1.5, "mount": {},
        "token": ["canary"], "address": "https://canary@ca.example.com/", "adress": "x",
        "signing_key": "canary",
    }));
    let problems = check(&specs, &given).unwrap_err();
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| format!("{}: {}", problem.option, problem.text))
        .collect();
    assert_eq!(
        lines,
        [
            "address: has something before an @, must be an http or https URL without \
             user information and fragment",
            "adress: no such option, allowed are address, token, mount, bits, strict, wait, names, \
             needed, signing_key",
            "bits: is a number, must be a whole number of at most 63 bits",
            "mount: is a block, must be a text",
            "names: is a list, must be a list of texts",
            "needed: must be given",
            "signing_key: signing_key holds no private key in PEM, allowed are EC PRIVATE KEY, RSA \
             PRIVATE KEY and PRIVATE KEY",
            "strict: is \"perhaps\", must be true or false",
            "token: is a list, must be a text",
            "wait: is \"soon\", must be a length of time such as \"72h\", not negative",
        ]
    );
}

#[test]
fn urls_are_http_with_a_host_and_nothing_hidden() {
    for url in ["http://a", "https://a:1/b?c", "https://[::1]:8200/"] {
        assert!(is_url(url), "{url}");
    }
    for url in [
        "",
        "a",
        "/a",
        "ftp://a",
        "https://",
        "https:///a",
        "https://user@a/",
        "https://a/#b",
        "https://a b/",
        "file:///etc/passwd",
    ] {
        assert!(!is_url(url), "{url}");
    }
}

#[test]
fn defaults_count_like_given_ones_and_null_is_not_given() {
    let mut wait = spec("wait", OptionKind::Duration);
    wait.default = Some("5s".to_owned());
    let checked = check(&[wait.clone()], &object(json!({ "wait": null }))).unwrap();
    let expected = [("wait".to_owned(), OptionValue::Duration(5_000))];
    assert_eq!(checked.values, expected);
    let checked = check(&[wait], &object(json!({ "wait": "6s" }))).unwrap();
    let expected = [("wait".to_owned(), OptionValue::Duration(6_000))];
    assert_eq!(checked.values, expected);
}

#[test]
fn two_spellings_of_one_option_are_one_too_many() {
    let specs = [spec("root_mount", OptionKind::Text)];
    let given = object(json!({ "root_mount": "a", "RootMount": "b" }));
    let problems = check(&specs, &given).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].text, "given twice, in two spellings");
}

#[test]
fn a_private_key_reaches_the_plugin_as_its_name_only() {
    let made = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let specs = [spec("signing_key", OptionKind::PrivateKey)];
    let given = object(json!({ "signing_key": made.serialize_pem() }));
    let checked = check(&specs, &given).unwrap();
    let named = OptionValue::Key("signing_key".to_owned());
    assert_eq!(checked.values, [("signing_key".to_owned(), named)]);
    let held = checked.keys.get("signing_key").unwrap();
    assert_eq!(
        held.public_key_der(),
        rcgen::PublicKeyData::subject_public_key_info(&made)
    );
    assert!(!format!("{checked:?}").contains("BEGIN"));
}

#[test]
fn texts_are_as_long_as_they_may_be_and_no_longer() {
    let specs = [
        spec("mount", OptionKind::Text),
        spec("names", OptionKind::Texts),
    ];
    let exact = "x".repeat(LONGEST_TEXT);
    check(&specs, &object(json!({ "mount": exact, "names": [exact] }))).unwrap();
    let long = format!("{exact}x");
    let problems = check(&specs, &object(json!({ "mount": long, "names": [long] }))).unwrap_err();
    assert_eq!(problems.len(), 2);
    assert_eq!(problems[0].text, "has 65537 bytes, allowed are 65536");
}

#[test]
fn a_plugins_own_list_is_checked_too() {
    check_specs(&all_kinds()).unwrap();
    for name in ["", "Address", "1st", "a-b", "a b", "_a", &"n".repeat(65)] {
        check_specs(&[spec(name, OptionKind::Text)]).unwrap_err();
    }
    let twice = [
        spec("root_mount", OptionKind::Text),
        spec("rootmount", OptionKind::Text),
    ];
    let says = check_specs(&twice).unwrap_err();
    assert_eq!(says, "it lists the option \"root_mount\" twice");
    let mut secret = spec("token", OptionKind::Secret);
    secret.default = Some("canary".to_owned());
    let says = check_specs(&[secret]).unwrap_err();
    assert!(!says.contains("canary"), "{says}");
    let mut wait = spec("wait", OptionKind::Duration);
    wait.default = Some("soon".to_owned());
    check_specs(&[wait]).unwrap_err();
    let many: Vec<_> = (0..65)
        .map(|n| spec(&format!("o{n}"), OptionKind::Text))
        .collect();
    check_specs(&many).unwrap_err();
    check_specs(&many[..64]).unwrap();
}
