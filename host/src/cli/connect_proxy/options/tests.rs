use super::*;

fn parse(arguments: &[&str]) -> Result<Options, Mistake> {
    let arguments: Vec<String> = arguments.iter().map(|&text| text.to_owned()).collect();
    Options::parse(&arguments, &|_| None)
}

#[test]
fn flags_are_read_in_every_form_of_go() {
    let expected = parse(&["-service", "web", "-register"]).unwrap();
    for form in [
        ["--service=web", "-register=true"],
        ["-service=web", "--register=1"],
    ] {
        assert_eq!(parse(&form).unwrap(), expected);
    }
}

#[test]
fn the_environment_is_overruled_by_flags() {
    let environment = |name: &str| (name == "CONNECT_SIDECAR_FOR").then(|| "web".to_owned());
    let plain = Options::parse(&[], &environment).unwrap();
    assert_eq!(plain.sidecar_for.as_deref(), Some("web"));
    let arguments = ["-sidecar-for=api".to_owned()];
    let flagged = Options::parse(&arguments, &environment).unwrap();
    assert_eq!(flagged.sidecar_for.as_deref(), Some("api"));
}

#[test]
fn our_own_variables_come_before_consuls() {
    let consuls = |name: &str| match name {
        "CONSUL_HTTP_ADDR" => Some("127.0.0.1:1".to_owned()),
        "CONSUL_HTTP_TOKEN" => Some("theirs".to_owned()),
        _ => None,
    };
    let both = |name: &str| match name {
        "CHANCERY_HTTP_ADDR" => Some("127.0.0.1:2".to_owned()),
        "CHANCERY_HTTP_TOKEN" => Some("ours".to_owned()),
        _ => consuls(name),
    };
    let of = |environment: &dyn Fn(&str) -> Option<String>| {
        let options = Options::parse(&[], environment).unwrap();
        (options.agent, options.token)
    };
    let expected =
        |port: u16, token: &str| (format!("http://127.0.0.1:{port}"), Some(token.to_owned()));
    assert_eq!(of(&consuls), expected(1, "theirs"));
    assert_eq!(of(&both), expected(2, "ours"));
}

#[test]
fn upstreams_are_keyed_by_name() {
    let options = parse(&[
        "-upstream=db:9191",
        "-upstream=cache.service:[::1]:6000",
        "-upstream=db:127.0.0.2:9292",
    ])
    .unwrap();
    let upstreams: Vec<_> = options.upstreams.into_iter().collect();
    let expected = [("cache", "[::1]:6000"), ("db", "127.0.0.2:9292")];
    assert_eq!(
        upstreams,
        expected.map(|(name, address)| (name.to_owned(), address.to_owned()))
    );
}

#[test]
fn mistakes_read_as_consuls() {
    for (arguments, text) in [
        (
            ["-upstream=bad"],
            "invalid value \"bad\" for flag -upstream: Upstream value should be name:addr in \
             \"bad\"",
        ),
        (
            ["-upstream=db.foo:1"],
            "invalid value \"db.foo:1\" for flag -upstream: Upstream type must be blank, \
             'service', or 'query'. Got: \"foo\"",
        ),
        (["-nonsense"], "flag provided but not defined: -nonsense"),
    ] {
        let refused = parse(&arguments).unwrap_err();
        assert_eq!(refused, Mistake::Flag(text.to_owned()));
    }
    let refused = parse(&["-log-level=zzz"]).unwrap_err();
    let text = "Invalid log level: zzz. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]";
    assert_eq!(refused, Mistake::Use(text.to_owned()));
    let refused = parse(&["extra"]).unwrap_err();
    assert_eq!(
        refused,
        Mistake::Use("Should have no non-flag arguments.".to_owned())
    );
}

#[test]
fn settings_need_a_service_and_both_addresses() {
    let missing = parse(&[]).unwrap().settings().unwrap_err();
    assert!(
        missing.starts_with("-service or -proxy-id must"),
        "{missing}"
    );
    let missing = parse(&["-service=web", "-listen=:8443"]).unwrap();
    let missing = missing.settings().unwrap_err();
    assert!(
        missing.starts_with("-service-addr must be specified"),
        "{missing}"
    );
    let bad = parse(&["-service=web", "-listen=bad", "-service-addr=:1"]).unwrap();
    let bad = bad.settings().unwrap_err();
    assert_eq!(bad, "address bad: missing port in address");
}

#[test]
fn flags_make_settings_and_a_registration() {
    let options = parse(&[
        "-service=web",
        "-listen=127.0.0.1:8443",
        "-service-addr=:8080",
        "-upstream=db:9191",
        "-register",
    ])
    .unwrap();
    let expected = Settings::for_service("web")
        .with_public("127.0.0.1:8443", "127.0.0.1:8080")
        .with_upstream("127.0.0.1:9191", "db");
    assert_eq!(options.settings(), Ok(expected));
    let registration = Registration::new("web", "8443", "127.0.0.1", 8443);
    assert_eq!(options.registration(), Ok(Some(registration)));
}
