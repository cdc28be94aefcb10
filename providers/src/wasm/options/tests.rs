use serde_json::json;

use super::*;
use crate::split_secrets;

fn read(options: Value) -> Result<WasmOptions, Vec<String>> {
    let Value::Object(options) = options else {
        panic!("an object");
    };
    let (options, secrets) = split_secrets(options);
    WasmOptions::read(&options, &secrets).map_err(|problems| {
        let lines = problems.into_iter();
        lines
            .map(|it| format!("{}: {}", it.option, it.text))
            .collect()
    })
}

#[test]
fn everything_has_a_default_but_the_plugin() {
    let options = read(json!({ "plugin": "my-ca" })).unwrap();
    assert_eq!(options.source, Source::Named("my-ca".to_owned()));
    assert_eq!(options.sha256, None);
    assert!(options.config.is_empty() && options.allow_http.is_empty());
    assert_eq!(options.http_ca_file, None);
    assert_eq!(
        (options.max_memory, options.max_state),
        (64 << 20, 64 << 10)
    );
    assert_eq!(options.timeout, Duration::from_secs(5));
}

#[test]
fn all_are_read_in_both_spellings() {
    let hash = "ab".repeat(32);
    let file = json!({
        "path": "/ca.wasm", "sha256": hash, "allow_http": ["ca.example.com:443"],
        "http_ca_file": "/ca.pem", "max_memory": "16 MiB", "timeout": "250ms",
        "max_state": 4096, "config": { "token": "canary" },
    });
    let api = json!({
        "Path": "/ca.wasm", "SHA256": hash, "AllowHTTP": "ca.example.com:443",
        "HTTPCAFile": "/ca.pem", "MaxMemory": 16_777_216, "Timeout": "250ms",
        "MaxState": "4KiB", "Config": { "token": "canary" },
    });
    for options in [file, api] {
        let options = read(options).unwrap();
        assert_eq!(options.source, Source::Path("/ca.wasm".into()));
        assert_eq!(options.sha256, Sha256::parse(&hash));
        assert_eq!(options.allow_http.to_string(), "ca.example.com:443");
        assert_eq!(options.http_ca_file, Some("/ca.pem".into()));
        assert_eq!((options.max_memory, options.max_state), (16 << 20, 4 << 10));
        assert_eq!(options.timeout, Duration::from_millis(250));
        assert_eq!(Value::Object(options.config), json!({ "token": "canary" }));
    }
}

#[test]
fn everything_wrong_is_said_at_once_and_nothing_of_the_config_is_shown() {
    let problems = read(json!({
        "path": 1, "sha256": "abc", "allow_http": ["ca.example.com", "a:0"],
        "http_ca_file": [], "max_memory": "64MB", "timeout": "1h", "max_state": "2MiB",
        "config": "canary",
    }));
    assert_eq!(
        problems.unwrap_err(),
        [
            "path: must be a text",
            "sha256: is \"abc\", must be 64 hexadecimal digits",
            "allow_http: \"ca.example.com\": no port is named",
            "allow_http: \"a:0\": the port must be from 1 to 65535",
            "http_ca_file: must be a text",
            "max_memory: is \"64MB\", must be a size such as \"64MiB\" from 1024KiB to 1048576KiB",
            "max_state: is \"2MiB\", must be a size such as \"64MiB\" from 1KiB to 1024KiB",
            "timeout: is \"1h\", must be a length of time such as \"5s\", from 10ms to 1m",
            "config: must be a block, `config { … }`",
        ]
    );
}

#[test]
fn there_is_one_plugin() {
    let neither = read(json!({ "path": "", "plugin": null })).unwrap_err();
    assert_eq!(
        neither,
        ["path: must be given, or plugin: which plugin is it?"]
    );
    let both = read(json!({ "path": "/a", "plugin": "b" })).unwrap_err();
    assert_eq!(
        both,
        ["plugin: says the same as path: one of them is enough"]
    );
}

#[test]
fn a_name_never_leads_out_of_its_folder() {
    let surroundings = Surroundings {
        plugin_dir: Some("/plugins".into()),
        cache_dir: None,
    };
    for (name, path) in [
        ("my-ca", "/plugins/my-ca.wasm"),
        ("a.b_1", "/plugins/a.b_1.wasm"),
    ] {
        let options = read(json!({ "plugin": name })).unwrap();
        assert_eq!(options.locate(&surroundings).unwrap(), Path::new(path));
        let nowhere = options.locate(&Surroundings::default()).unwrap_err();
        assert!(nowhere.to_string().contains("plugin_dir"), "{nowhere}");
    }
    for name in [
        "..",
        "../a",
        "a/b",
        "/etc/passwd",
        ".a",
        "a\\b",
        "a\0",
        "ä",
        &"a".repeat(65),
    ] {
        read(json!({ "plugin": name })).unwrap_err();
    }
}

#[test]
fn sizes_are_in_bytes_and_their_binary_multiples() {
    assert_eq!(size("0"), Some(0));
    assert_eq!(size("1KiB"), Some(1 << 10));
    assert_eq!(size("2 GiB"), Some(2 << 30));
    for bad in [
        "",
        "KiB",
        "-1",
        "1.5MiB",
        "1mib",
        "1 M",
        "99999999999999999999",
        "9999999999999GiB",
    ] {
        assert!(
            size(bad).is_none() || size(bad) == Some(0) && bad.is_empty(),
            "{bad}"
        );
    }
}

#[test]
fn sizes_and_times_are_taken_at_the_edge_and_not_past_it() {
    for (option, good, bad) in [
        ("max_memory", "1MiB", "1023KiB"),
        ("max_memory", "1GiB", "1048577KiB"),
        ("max_state", "1KiB", "1023"),
        ("max_state", "1MiB", "1025KiB"),
        ("timeout", "10ms", "9ms"),
        ("timeout", "1m", "60001ms"),
    ] {
        read(json!({ "plugin": "a", option: good })).unwrap();
        read(json!({ "plugin": "a", option: bad })).unwrap_err();
    }
}
