use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ADDRESS: Shape = Shape::Fields(&[("Address", Shape::Text), ("Port", Shape::Integer)]);
const UPSTREAM: Shape = Shape::Fields(&[
    ("DestinationName", Shape::Text),
    ("LocalBindPort", Shape::Integer),
]);
const PROXY: Shape = Shape::Fields(&[
    ("DestinationServiceName", Shape::Text),
    ("Upstreams", Shape::List(&UPSTREAM)),
]);
const SERVICE: Shape = Shape::Fields(&[
    ("Address", Shape::Text),
    ("EnableTagOverride", Shape::Boolean),
    ("Kind", Shape::Text),
    ("Meta", Shape::Map(&Shape::Text)),
    ("Port", Shape::Integer),
    ("Proxy", PROXY),
    ("Service", Shape::Text),
    ("TaggedAddresses", Shape::Map(&ADDRESS)),
    ("Tags", Shape::Texts),
]);

fn services() -> [Value; 3] {
    [
        json!({"Service": "web", "Port": 80, "Address": "10.1.1.1", "Tags": ["a", "b", "C"],
            "EnableTagOverride": false, "Meta": {"env": "prod", "x-y": "1"},
            "TaggedAddresses": {"lan": {"Address": "1.1.1.1", "Port": 9}}}),
        json!({"Service": "db", "Port": 5432, "Tags": [], "Meta": null}),
        json!({"Kind": "connect-proxy", "Service": "web-sidecar-proxy", "Port": 21000,
            "Tags": ["a", "b", "C"], "EnableTagOverride": false, "Meta": {"env": "prod"},
            "Proxy": {"DestinationServiceName": "web", "Upstreams": [
                {"DestinationName": "db", "LocalBindPort": 1},
                {"DestinationName": "cache", "LocalBindPort": 2}]}}),
    ]
}

fn filter(expression: &str) -> Result<Filter, String> {
    let expression = Expression::parse(expression).map_err(|error| error.to_string())?;
    expression.bind(&SERVICE).map_err(|error| error.to_string())
}

/// Which of the three are chosen: `w`, `d`, `s`.
fn chosen(expression: &str) -> String {
    let mut filter = filter(expression).unwrap_or_else(|error| panic!("{expression}: {error}"));
    let all = ["w", "d", "s"].into_iter().zip(services());
    all.filter(|(_, service)| filter.matches(service).unwrap())
        .map(|(name, _)| name)
        .collect()
}

fn refusal(expression: &str) -> String {
    filter(expression).expect_err(expression)
}

/// All of it was asked of Consul 1.8.7, but for what is about proxies: it crashes on services
/// without one.
#[test]
fn expressions_choose_what_consul_chooses() {
    for (expression, expected) in [
        ("Service == web", "w"),
        ("Service==web", "w"),
        ("  Service == \"web\"\t", "w"),
        ("Service == `web`", "w"),
        (r#"Service == "we\x62""#, "w"),
        ("Service != web", "ds"),
        ("\"e\" in Service", "ws"),
        ("e in Service", "ws"),
        ("Service contains e", "ws"),
        ("Service not contains e", "d"),
        ("e not in Service", "d"),
        ("Service matches \"^w.b$\"", "w"),
        ("Service not matches \"^w\"", "d"),
        ("Service == \"\"", ""),
        ("Service == a.b", ""),
        ("Service == true or Service == 5.5 or Service == -1", ""),
        ("Port == 80", "w"),
        ("Port == \"0x50\"", "w"),
        ("Port == -80", ""),
        ("Port != 80", "ds"),
        ("EnableTagOverride == false", "wds"),
        ("EnableTagOverride == 0", "wds"),
        ("Tags is empty", "d"),
        ("Tags is  not  empty", "ws"),
        ("Tags contains a", "ws"),
        ("\"a\" in Tags", "ws"),
        ("A in Tags", ""),
        ("a not in Tags", "d"),
        ("1 in Tags", ""),
        ("Meta is empty", "d"),
        ("Meta.env == prod", "ws"),
        ("Meta.env != prod", "d"),
        ("Meta[\"env\"] == prod", "ws"),
        ("Meta[ `env` ] == prod", "ws"),
        ("Meta[\"x-y\"] == 1", "w"),
        ("Meta.nope == x", ""),
        ("Meta.nope != x", "wds"),
        ("Meta.nope not matches x", "wds"),
        ("x in Meta.nope", ""),
        ("x not in Meta.nope", "wds"),
        ("env in Meta", "ws"),
        ("Meta contains env", "ws"),
        ("pro in Meta.env", "ws"),
        ("TaggedAddresses.lan.Port == 9", "w"),
        ("TaggedAddresses.wan.Port != 9", "wds"),
        ("lan in TaggedAddresses", "w"),
        ("Kind == \"connect-proxy\"", "s"),
        ("Kind == \"\"", "wd"),
        ("not Service == web", "ds"),
        ("not not Service == web", "w"),
        ("not (Service == web)", "ds"),
        ("( Service == web )", "w"),
        ("(((((Service == web)))))", "w"),
        ("Service == web and Port == 80", "w"),
        ("Service == web or Service == db and Port == 1", "w"),
        ("(Service == web or Service == db) and Port == 1", ""),
        ("not Service == web and Port == 5432", "d"),
        ("not Service == web or Port == 80", "wds"),
        ("Service == web\tor\tPort == 5432", "wd"),
        ("in in Tags", ""),
        ("not in Tags", ""),
        ("not not in Tags", "wds"),
        ("Service == and and Service != or or Port == 5432", "d"),
    ] {
        assert_eq!(chosen(expression), expected, "{expression}");
    }
}

#[test]
fn a_part_that_is_not_there_counts_as_empty() {
    for (expression, expected) in [
        ("Proxy.DestinationServiceName == web", "s"),
        ("Proxy.DestinationServiceName != web", "wd"),
        ("Proxy.Upstreams is empty", "wd"),
        ("Proxy.Upstreams.DestinationName == db", "s"),
        // One of them is another.
        ("Proxy.Upstreams.DestinationName != db", "s"),
        ("Proxy.Upstreams.LocalBindPort == 3", ""),
        ("not Proxy.Upstreams.DestinationName == db", "wd"),
    ] {
        assert_eq!(chosen(expression), expected, "{expression}");
    }
}

/// Consul says yes to both.
#[test]
fn what_is_not_there_matches_no_pattern() {
    assert_eq!(chosen("Meta.nope matches x"), "");
    assert_eq!(chosen("Meta.nope matches `.*`"), "");
}

#[test]
fn what_makes_no_sense_for_the_entries_is_refused_in_consuls_words() {
    for (expression, text) in [
        ("Bogus == 1", "Selector \"Bogus\" is not valid"),
        ("service == web", "Selector \"service\" is not valid"),
        ("web == Service", "Selector \"web\" is not valid"),
        ("Service.x.y == 1", "Selector \"Service.x\" is not valid"),
        (
            "Meta[\"a\"][\"b\"] == y",
            "Selector \"Meta.a.b\" is not valid",
        ),
        ("is is empty", "Selector \"is\" is not valid"),
        ("not is empty", "Selector \"not\" is not valid"),
        (
            "Port matches \"8\"",
            "Invalid match operator \"Matches\" for selector \"Port\"",
        ),
        (
            "Tags == a",
            "Invalid match operator \"Equal\" for selector \"Tags\"",
        ),
        (
            "Meta.env is not empty",
            "Invalid match operator \"Is Not Empty\" for selector \"Meta.env\"",
        ),
        (
            "TaggedAddresses.lan != x",
            "Invalid match operator \"Not Equal\" for selector \"TaggedAddresses.lan\"",
        ),
        (
            "5 not in Port",
            "Invalid match operator \"Not In\" for selector \"Port\"",
        ),
        (
            "Proxy is empty",
            "Invalid match operator \"Is Empty\" for selector \"Proxy\"",
        ),
        (
            "Port == abc",
            "Failed to coerce value \"abc\" for selector \"Port\": strconv.ParseInt: parsing \"abc\": invalid syntax",
        ),
        (
            "EnableTagOverride == no",
            "Failed to coerce value \"no\" for selector \"EnableTagOverride\": strconv.ParseBool: parsing \"no\": invalid syntax",
        ),
    ] {
        assert_eq!(refusal(expression), text);
    }
    assert!(
        refusal("Service matches \"(\"").starts_with("Failed to compile regular expression \"(\"")
    );
}

#[test]
fn where_an_expression_stops_making_sense_is_said() {
    for (expression, text) in [
        (
            "Service == 'web'",
            "at character 12: found \"'web'\", expected a bare word, a number, or a string in \" or `",
        ),
        (
            "Service = web",
            "at character 8: found \" = web\", expected ==, !=, contains, not contains, matches, not matches, is empty, is not empty, in or not in",
        ),
        (
            "",
            "at character 1: found the end, expected a selector, a value, \"not\" or an opening bracket",
        ),
        (
            "(Service == web",
            "at character 16: found the end, expected \"and\", \"or\" or a closing bracket",
        ),
        (
            "Service == web)",
            "at character 15: found \")\", expected \"and\", \"or\" or the end",
        ),
        (
            "Service == web and",
            "at character 19: found the end, expected white space and another expression",
        ),
        (
            "é == 1",
            "at character 1: found \"é == 1\", expected a selector, a value, \"not\" or an opening bracket",
        ),
        (
            "Service == \"é\" x",
            "at character 16: found \"x\", expected \"and\", \"or\" or the end",
        ),
        (
            "Service == \"x",
            "at character 14: found the end, expected the end of the string",
        ),
    ] {
        assert_eq!(refusal(expression), text);
    }
}

/// Consul refuses all of them too.
#[test]
fn what_is_no_expression_is_refused() {
    for expression in [
        " ",
        "Service",
        "\"web\"",
        "\"web\" == Service",
        "EnableTagOverride",
        "Meta.x-y == 1",
        "Meta[\"env\"",
        "Meta[env] == prod",
        "Meta[5] == prod",
        "Kind == connect-proxy",
        "Address == 10.1.1.1",
        "Port == 0x50",
        "Port == 080",
        "Port in 80",
        "Service == 5x",
        "Service == é",
        "Service is web",
        "Service isempty",
        "Service.",
        ".Service == x",
        "not(Service == web)",
        "()",
        "(Service == web)and(Port == 80)",
        "Service == web AND Port == 80",
        "and Service == web",
        "Service == web Port == 80",
        "Service == ",
        r#"Service == "a\"b""#,
        r#"Service == "we\qb""#,
        "`x",
        "Service == a[“x”]",
    ] {
        assert!(Expression::parse(expression).is_err(), "{expression}");
    }
}

#[test]
fn length_depth_and_patterns_are_bounded_at_the_one_too_many() {
    let nested = |depth: usize| format!("{}Port == 1{}", "(".repeat(depth), ")".repeat(depth));
    let negated = |depth: usize| format!("{}Port == 1", "not ".repeat(depth));
    assert!(filter(&nested(Expression::MAX_DEPTH)).is_ok());
    assert!(filter(&negated(Expression::MAX_DEPTH)).is_ok());
    let too_deep = Err(ExpressionError::Deep {
        at: Expression::MAX_DEPTH + 1,
    });
    assert_eq!(
        Expression::parse(&nested(Expression::MAX_DEPTH + 1)),
        too_deep
    );
    assert!(Expression::parse(&negated(Expression::MAX_DEPTH + 1)).is_err());
    assert!(Expression::parse(&"(".repeat(8_000)).is_err());

    let long = |length: usize| format!("Port == 1{}", " ".repeat(length - 9));
    assert!(Expression::parse(&long(Expression::MAX_LENGTH)).is_ok());
    assert_eq!(
        Expression::parse(&long(Expression::MAX_LENGTH + 1)),
        Err(ExpressionError::Long {
            found: Expression::MAX_LENGTH + 1
        })
    );

    let patterns = |count: usize| vec!["Service matches a"; count].join(" or ");
    assert!(filter(&patterns(Expression::MAX_PATTERNS)).is_ok());
    assert!(filter(&patterns(Expression::MAX_PATTERNS + 1)).is_err());
}

#[test]
fn what_is_joined_flatly_is_not_deep() {
    let many = vec!["Port == 80"; 500].join(" or ");
    assert_eq!(chosen(&many), "w");
}

#[test]
fn patterns_are_bounded_in_size_and_in_what_they_cost() {
    assert!(refusal("Service matches `((a{90}){90}){90}`").contains("size"));
    assert!(refusal(&format!("Service matches `{}`", "(".repeat(200))).contains("compile"));
    let mut costly = filter("Service matches `(a|aa)*(a|aa){50}(a|aa)*b`").unwrap();
    let entry = json!({"Service": "a".repeat(4_000)});
    let spent = (0..1_000_000).find(|_| costly.matches(&entry).is_err());
    assert!(spent.is_some_and(|entries| entries > 10), "{spent:?}");
    let mut cheap = filter("Service == a").unwrap();
    assert!((0..1_000).all(|_| cheap.matches(&entry) == Ok(false)));
}

fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "(", ")", "not", "and", "or", "in", "is", "empty", "contains", "matches", "==", "!=",
        "Service", "Port", "Tags", "Meta", ".env", "[\"x\"]", "[", "]", "web", "80", "-1", "0.5",
        "\"a", "\"a\"", "`b`", ".", "é", "\\", "\t",
    ]);
    prop::collection::vec((word, prop::bool::ANY), 0..60).prop_map(|words| {
        words
            .into_iter()
            .map(|(word, spaced)| {
                if spaced {
                    format!("{word} ")
                } else {
                    word.to_owned()
                }
            })
            .collect()
    })
}

/// An expression that means something, and the same meaning without the parser.
fn meant() -> impl Strategy<Value = (String, [bool; 3])> {
    let truth = |yes: fn(&str) -> bool| ["web", "db", "web-sidecar-proxy"].map(yes);
    let leaf = prop::sample::select(vec![
        ("Service == web", truth(|it| it == "web")),
        ("a in Tags", truth(|it| it != "db")),
        ("Port != 80", truth(|it| it != "web")),
        ("Meta is empty", truth(|it| it == "db")),
    ])
    .prop_map(|(text, truth)| (text.to_owned(), truth));
    leaf.prop_recursive(6, 40, 4, |inner| {
        let join = |word: &'static str| {
            prop::collection::vec(inner.clone(), 2..4).prop_map(move |parts| {
                let text: Vec<_> = parts.iter().map(|(text, _)| format!("({text})")).collect();
                let each = [0, 1, 2].map(|place| {
                    let mut all = parts.iter().map(|(_, truth)| truth[place]);
                    if word == "and" {
                        all.all(|yes| yes)
                    } else {
                        all.any(|yes| yes)
                    }
                });
                (text.join(&format!(" {word} ")), each)
            })
        };
        prop_oneof![
            join("and"),
            join("or"),
            inner
                .clone()
                .prop_map(|(text, truth)| { (format!("not ({text})"), truth.map(|yes| !yes)) }),
        ]
    })
}

proptest! {
    #[test]
    fn nothing_that_is_written_is_too_much(text in words()) {
        if let Ok(mut filter) = filter(&text) {
            for service in services() {
                filter.matches(&service).unwrap();
            }
        }
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in "\\PC{0,200}") {
        drop(filter(&text));
    }

    #[test]
    fn joined_and_negated_tests_mean_what_they_say((text, truth) in meant()) {
        let mut filter = filter(&text).unwrap();
        let found = services().map(|service| filter.matches(&service).unwrap());
        prop_assert_eq!(found, truth);
    }
}
