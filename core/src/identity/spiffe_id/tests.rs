use proptest::prelude::*;

use super::*;

const TD: &str = "11111111-2222-3333-4444-555555555555.consul";

/// URIs and the name of the rule that each breaks; `TD` stands for a valid trust domain.
const REFUSED: &[(&str, &str)] = &[
    ("", "Scheme"),
    ("spiffe", "Scheme"),
    ("spiffe:", "Scheme"),
    ("spiffe:/TD/ns/default/dc/dc1/svc/web", "Scheme"),
    ("SPIFFE://TD/ns/default/dc/dc1/svc/web", "Scheme"),
    ("Spiffe://TD", "Scheme"),
    ("https://TD/ns/default/dc/dc1/svc/web", "Scheme"),
    (" spiffe://TD/ns/default/dc/dc1/svc/web", "Scheme"),
    ("//TD/ns/default/dc/dc1/svc/web", "Scheme"),
    ("\u{0}spiffe://TD", "Scheme"),
    ("spiffe://", "TrustDomain"),
    ("spiffe:///ns/default/dc/dc1/svc/web", "TrustDomain"),
    ("spiffe://A.consul/ns/default/dc/dc1/svc/web", "TrustDomain"),
    (
        "spiffe://a%2Econsul/ns/default/dc/dc1/svc/web",
        "TrustDomain",
    ),
    ("spiffe://a b.consul", "TrustDomain"),
    ("spiffe://ünï.consul", "TrustDomain"),
    ("spiffe://a.consul\n", "TrustDomain"),
    (
        "spiffe://a.consul\u{0}/ns/default/dc/dc1/svc/web",
        "TrustDomain",
    ),
    ("spiffe://*.consul", "TrustDomain"),
    ("spiffe://a\\b.consul", "TrustDomain"),
    ("spiffe://[::1]/ns/default/dc/dc1/svc/web", "Port"),
    ("spiffe://TD:443/ns/default/dc/dc1/svc/web", "Port"),
    ("spiffe://TD:/ns/default/dc/dc1/svc/web", "Port"),
    ("spiffe://TD:8443", "Port"),
    (
        "spiffe://user@TD/ns/default/dc/dc1/svc/web",
        "UserInformation",
    ),
    (
        "spiffe://user:pw@TD/ns/default/dc/dc1/svc/web",
        "UserInformation",
    ),
    ("spiffe://@TD", "UserInformation"),
    ("spiffe://TD?x", "Query"),
    ("spiffe://TD/ns/default/dc/dc1/svc/web?", "Query"),
    ("spiffe://TD/ns/default/dc/dc1/svc/web?a=b#c", "Query"),
    ("spiffe://TD#", "Fragment"),
    ("spiffe://TD/ns/default/dc/dc1/svc/web#x", "Fragment"),
    ("spiffe://TD/", "TrailingSlash"),
    ("spiffe://TD//", "TrailingSlash"),
    ("spiffe://TD/ns/default/dc/dc1/svc/", "TrailingSlash"),
    ("spiffe://TD/ns/default/dc/dc1/svc/web/", "TrailingSlash"),
    ("spiffe://TD//ns/default/dc/dc1/svc/web", "EmptySegment"),
    ("spiffe://TD/ns//dc/dc1/svc/web", "EmptySegment"),
    ("spiffe://TD/ns/default/dc/dc1/svc//web", "EmptySegment"),
    ("spiffe://TD/./ns/default/dc/dc1/svc/web", "DotSegment"),
    ("spiffe://TD/ns/default/dc/dc1/svc/.", "DotSegment"),
    ("spiffe://TD/ns/default/dc/dc1/svc/..", "DotSegment"),
    ("spiffe://TD/ns/default/dc/dc1/svc/db/../web", "DotSegment"),
    ("spiffe://TD/ns/default/dc/dc1/svc/%2E", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/%2E%2E", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/%77eb", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/%2a", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/*", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a b", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/caf\u{e9}", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%2Fb", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%252Fb", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%25", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%00", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%0D%0Ab", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a\r\nb", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%7F", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%C2%85", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%E2%80%AEb", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%2", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%GG", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%FF", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a%C0%AF", "Name"),
    ("spiffe://TD/ns/default/dc/dc1/svc/a\\b", "Name"),
    ("spiffe://TD/agent/client/dc/dc1/id/a%2Fb", "Name"),
    ("spiffe://TD/ns/team/dc/dc1/svc/web", "Namespace"),
    ("spiffe://TD/ns/Default/dc/dc1/svc/web", "Namespace"),
    ("spiffe://TD/ns/d%65fault/dc/dc1/svc/web", "Namespace"),
    ("spiffe://TD/ns/default/dc/DC1/svc/web", "Datacenter"),
    ("spiffe://TD/ns/default/dc/d%631/svc/web", "Datacenter"),
    ("spiffe://TD/agent/client/dc/d.c/id/n", "Datacenter"),
    ("spiffe://TD/ns/default/dc/dc1/svc", "Shape"),
    ("spiffe://TD/ns/default/dc/dc1/svc/web/x", "Shape"),
    ("spiffe://TD/NS/default/dc/dc1/svc/web", "Shape"),
    ("spiffe://TD/n%73/default/dc/dc1/svc/web", "Shape"),
    ("spiffe://TD/ap/default/ns/default/dc/dc1/svc/web", "Shape"),
    ("spiffe://TD/agent/server/dc/dc1/id/n", "Shape"),
    ("spiffe://TD/agent/client/dc/dc1/svc/n", "Shape"),
    ("spiffe://TD/gateway/mesh/dc/dc1", "Shape"),
    ("spiffe://TD/web", "Shape"),
    ("spiffe://localhost", "Undotted"),
];

const ACCEPTED: &[&str] = &[
    "spiffe://TD",
    "spiffe://a.b",
    "spiffe://a_b-c.d/ns/default/dc/dc_1-x/svc/web",
    "spiffe://localhost/ns/default/dc/dc1/svc/web",
    "spiffe://TD/ns/default/dc/dc1/svc/web",
    "spiffe://TD/ns/default/dc/dc1/svc/WEB",
    "spiffe://TD/ns/default/dc/dc1/svc/cert-manager.io",
    "spiffe://TD/ns/default/dc/dc1/svc/...",
    "spiffe://TD/ns/default/dc/dc1/svc/%2A",
    "spiffe://TD/ns/default/dc/dc1/svc/caf%C3%A9",
    "spiffe://TD/ns/default/dc/dc1/svc/a%5Cb%20c%3F",
    "spiffe://TD/ns/default/dc/dc1/svc/~$&+,:;=@",
    "spiffe://TD/ns/default/dc/dc1/svc/user@host:80",
    "spiffe://TD/agent/client/dc/dc1/id/Node-1",
];

/// The variant's name: the rule that was broken.
fn rule(error: &SpiffeIdError) -> String {
    let debug = format!("{error:?}");
    debug
        .split([' ', '('])
        .next()
        .map(str::to_owned)
        .unwrap_or_default()
}

#[test]
fn each_misspelled_uri_is_refused_by_its_rule() {
    assert!(REFUSED.len() >= 50);
    for (template, expected) in REFUSED {
        let uri = template.replace("TD", TD);
        let error = SpiffeId::parse(&uri).expect_err(&uri);
        assert_eq!(rule(&error), *expected, "{uri:?}");
        let text = error.to_string();
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
}

#[test]
fn each_well_spelled_uri_comes_back_byte_for_byte() {
    for template in ACCEPTED {
        let uri = template.replace("TD", TD);
        assert_eq!(SpiffeId::parse(&uri).expect(&uri).to_string(), uri);
    }
}

#[test]
fn the_longest_parts_together_fit_and_one_byte_more_is_too_long() {
    let id = ServiceId::new(
        TrustDomain::parse(&"a".repeat(TrustDomain::MAX_BYTES)).unwrap(),
        Namespace::DEFAULT,
        Datacenter::parse(&"d".repeat(Datacenter::MAX_BYTES)).unwrap(),
        ServiceName::parse(&"*".repeat(ServiceName::MAX_BYTES)).unwrap(),
    );
    let uri = id.to_string();
    assert!(uri.len() <= SpiffeId::MAX_BYTES);
    assert_eq!(SpiffeId::parse(&uri), Ok(id.into()));

    let at_limit = format!("spiffe://a.b/{}", "x".repeat(SpiffeId::MAX_BYTES - 13));
    assert_eq!(rule(&SpiffeId::parse(&at_limit).unwrap_err()), "Shape");
    let past = format!("{at_limit}x");
    assert_eq!(
        SpiffeId::parse(&past),
        Err(SpiffeIdError::TooLong {
            found: 2049,
            allowed: 2048
        })
    );
}

#[test]
fn agents_and_the_authority_are_no_services() {
    for (uri, service) in [
        ("spiffe://a.b/ns/default/dc/dc1/svc/web", true),
        ("spiffe://a.b/agent/client/dc/dc1/id/web", false),
        ("spiffe://a.b", false),
    ] {
        let id = SpiffeId::parse(uri).unwrap();
        assert_eq!(id.service().is_some(), service, "{uri}");
        assert_eq!(id.trust_domain().as_str(), "a.b");
    }
}

#[test]
fn consuls_two_texts_are_kept() {
    for (uri, text) in [
        ("https://a.b/x", "SPIFFE ID must have 'spiffe' scheme"),
        (
            "spiffe://a.b/x",
            "SPIFFE ID is not in the expected format: spiffe://a.b/x",
        ),
    ] {
        let error = SpiffeId::parse(uri).unwrap_err();
        assert_eq!(error.consul_text(uri), text);
    }
}

#[test]
fn an_error_says_what_was_found_and_what_is_right() {
    for (uri, text) in [
        (
            "spiffe://a.b/ns/default/dc/dc1/svc/%77eb",
            "SPIFFE ID is misspelled: name \"%77eb\" contains %77, the only spelling is 'w'",
        ),
        (
            "spiffe://a.b/ns/default/dc/dc1/svc/a b",
            "SPIFFE ID is misspelled: name \"a b\" contains 0x20 as it is, the only spelling is %20",
        ),
        (
            "spiffe://a.b/ns/default/dc/dc1/svc/%2a",
            "SPIFFE ID is misspelled: name \"%2a\" contains \"%2a\", an encoded byte is '%' and two of 0-9, A-F",
        ),
    ] {
        assert_eq!(SpiffeId::parse(uri).unwrap_err().to_string(), text);
    }
}

proptest! {
    #[test]
    fn every_service_name_round_trips(name in "\\PC{1,60}") {
        let Ok(service) = ServiceName::parse(&name) else {
            return Ok(());
        };
        let id = ServiceId::new(
            TrustDomain::parse(TD).unwrap(),
            Namespace::DEFAULT,
            Datacenter::parse("dc1").unwrap(),
            service,
        );
        let parsed = SpiffeId::parse(&id.to_string()).unwrap();
        prop_assert_eq!(parsed, SpiffeId::Service(id));
    }

    #[test]
    fn whatever_parses_has_one_spelling(
        tail in "(/(ns|default|dc|dc1|svc|agent|client|id|web|[.]{1,3}|%[0-9A-Fa-f]{2}|[ -~])){0,7}"
    ) {
        let uri = format!("spiffe://{TD}{tail}");
        if let Ok(id) = SpiffeId::parse(&uri) {
            prop_assert_eq!(id.to_string(), uri);
        }
    }

    #[test]
    fn encoded_segments_parse_only_in_their_one_spelling(
        segment in "([a-z]|[$&+,:;=@~]|%[0-9A-F]{2}|%[0-9a-f]{2}){1,12}"
    ) {
        let uri = format!("spiffe://{TD}/ns/default/dc/dc1/svc/{segment}");
        if let Ok(id) = SpiffeId::parse(&uri) {
            prop_assert_eq!(id.to_string(), uri);
        }
    }

    #[test]
    fn no_input_panics_or_leaks_control_bytes(uri in "(spiffe://)?\\PC*[\\x00-\\x1f\\x7f]*\\PC*") {
        if let Err(error) = SpiffeId::parse(&uri) {
            prop_assert!(!error.to_string().chars().any(char::is_control));
        }
    }
}
