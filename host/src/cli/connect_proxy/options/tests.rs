use std::ffi::OsString;

use clap::{Command, FromArgMatches};

use super::*;
use crate::cli::arguments::{normalised, one_line};

fn parse(words: &[&str]) -> Result<Proxy, String> {
    let words = ["proxy"].iter().chain(words).map(OsString::from);
    Proxy::augment_args(Command::new("proxy"))
        .try_get_matches_from(normalised(words))
        .and_then(|matches| Proxy::from_arg_matches(&matches))
        .map_err(|error| one_line(&error))
}

#[test]
fn switches_are_read_in_every_form_of_go() {
    for (form, register) in [
        (&["-register"][..], Some(true)),
        (&["--register"], Some(true)),
        (&["-register=true"], Some(true)),
        (&["-register=T"], Some(true)),
        (&["--register=1"], Some(true)),
        (&["-register=0"], Some(false)),
        (&["-register", "-register=false"], Some(false)),
        (&[], None),
    ] {
        assert_eq!(parse(form).unwrap().register, register, "{form:?}");
    }
    assert_eq!(
        parse(&["-register=maybe"]).unwrap_err(),
        "invalid boolean value \"maybe\" for -register: parse error"
    );
}

#[test]
fn of_a_flag_given_twice_the_last_counts() {
    let proxy = parse(&["-service=web", "--service", "api"]).unwrap();
    assert_eq!(proxy.service.as_deref(), Some("api"));
}

#[test]
fn the_environment_is_overruled_by_flags() {
    let variable = |name: &str| (name == "CONNECT_SIDECAR_FOR").then(|| "web".to_owned());
    let mode = |words: &[&str]| parse(words).unwrap().mode(&variable);
    assert_eq!(mode(&[]), Mode::SidecarFor("web".to_owned()));
    assert_eq!(
        mode(&["-sidecar-for=api"]),
        Mode::SidecarFor("api".to_owned())
    );
    assert_eq!(mode(&["-proxy-id=p"]), Mode::Registered("p".to_owned()));
    assert_eq!(parse(&[]).unwrap().mode(&|_| None), Mode::Flags);
}

#[test]
fn upstreams_are_keyed_by_name() {
    let proxy = parse(&[
        "-upstream=db:9191",
        "-upstream=cache.service:[::1]:6000",
        "-upstream=db:127.0.0.2:9292",
    ])
    .unwrap();
    let upstreams: Vec<_> = proxy.upstreams().into_iter().collect();
    assert_eq!(
        upstreams,
        [("cache", "[::1]:6000"), ("db", "127.0.0.2:9292")]
    );
}

#[test]
fn mistakes_read_as_consuls() {
    for (word, text) in [
        (
            "-upstream=bad",
            "invalid value \"bad\" for flag -upstream: Upstream value should be name:addr in \
             \"bad\"",
        ),
        (
            "-upstream=db.foo:1",
            "invalid value \"db.foo:1\" for flag -upstream: Upstream type must be blank, \
             'service', or 'query'. Got: \"foo\"",
        ),
        ("-nonsense", "flag provided but not defined: -nonsense"),
        ("-service", "flag needs an argument: -service"),
    ] {
        assert_eq!(parse(&[word]).unwrap_err(), text);
    }
    let refused = parse(&["-log-level=zzz"]).unwrap().log_level().unwrap_err();
    assert_eq!(
        refused,
        "Invalid log level: zzz. Valid log levels are: [TRACE DEBUG INFO WARN ERR ERROR]"
    );
    assert!(parse(&["-log-level=err"]).unwrap().log_level().is_ok());
    for words in [&["extra"][..], &["-register", "extra", "-nonsense"]] {
        let refused = parse(words).unwrap().check_no_arguments().unwrap_err();
        assert_eq!(refused, "Should have no non-flag arguments.");
    }
}

#[test]
fn flags_without_a_meaning_are_named() {
    let unused = |words: &[&str]| parse(words).unwrap().unused().collect::<Vec<_>>();
    assert!(unused(&["-service=web"]).is_empty());
    assert_eq!(
        unused(&[
            "-stale",
            "-pprof-addr=:1",
            "-namespace=x",
            "-datacenter",
            "dc1"
        ]),
        ["-datacenter", "-namespace", "-pprof-addr", "-stale"]
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
