use proptest::prelude::*;
use serde_json::json;

use super::*;

fn tree(text: &str) -> serde_json::Value {
    match parse(text) {
        Ok(object) => serde_json::Value::Object(object.to_json()),
        Err(error) => panic!("{text:?}: {error}"),
    }
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(object) => panic!("{text:?} became {:?}", object.to_json()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn several_attributes_share_a_line_with_or_without_commas() {
    let wanted = json!({"ports": {"grpc": 8502, "https": -1}, "server": true});
    assert_eq!(
        tree("ports { grpc = 8502  https = -1 } server = true"),
        wanted
    );
    assert_eq!(
        tree("ports { grpc = 8502, https = -1 }, server = true,"),
        wanted
    );
}

#[test]
fn the_one_line_connect_stanza_is_read() {
    assert_eq!(
        tree(r#"connect { enabled = true  ca_provider = "vault"  ca_config { token = "t" } }"#),
        json!({"connect": {"enabled": true, "ca_provider": "vault", "ca_config": {"token": "t"}}})
    );
}

#[test]
fn keys_may_be_quoted() {
    assert_eq!(
        tree(r#""ports" { "http" = 8500 }"#),
        json!({"ports": {"http": 8500}})
    );
}

#[test]
fn labels_nest_and_repeated_blocks_become_a_list() {
    assert_eq!(
        tree(
            r#"service "web" { policy = "read" } service_prefix "" { policy = "write" } service "db" {}"#
        ),
        json!({
            "service": [{"web": {"policy": "read"}}, {"db": {}}],
            "service_prefix": {"": {"policy": "write"}},
        })
    );
}

#[test]
fn repeated_blocks_join_a_list_of_objects() {
    assert_eq!(
        tree(r#"services = [{ name = "a" }] services { name = "b" } services { name = "c" }"#),
        json!({"services": [{"name": "a"}, {"name": "b"}, {"name": "c"}]})
    );
}

#[test]
fn the_last_of_a_repeated_attribute_wins() {
    assert_eq!(tree("a = 1 a = 2 a = [3]"), json!({"a": [3]}));
}

#[test]
fn numbers_of_every_form() {
    assert_eq!(
        tree("a = 0x1F b = 017 c = -5 d = 1.5 e = 1e3 f = -2.5E-1 g = 0 h = 9223372036854775807"),
        json!({"a": 31, "b": 15, "c": -5, "d": 1.5, "e": 1000.0, "f": -0.25, "g": 0, "h": i64::MAX})
    );
    assert_eq!(
        refusal("a = 9223372036854775808"),
        "1:5: found \"9223372036854775808\", expected a number of at most 64 bits"
    );
    assert_eq!(
        refusal("a = 08"),
        "1:5: found \"08\", expected an octal number (digits 0 to 7 after the leading 0)"
    );
}

#[test]
fn texts_have_go_escapes_and_plain_templates() {
    assert_eq!(
        tree(r#"a = "x${y "quoted" {z}}w" b = "\t\"\\\x41\101é\U0001F600" c = "$5 {}""#),
        json!({"a": "x${y \"quoted\" {z}}w", "b": "\t\"\\AAé😀", "c": "$5 {}"})
    );
    assert_eq!(
        refusal(r#"a = "\q""#),
        "1:7: found 'q', expected one of a b f n r t v \\ \" x u U or 0 to 7 after '\\'"
    );
    assert_eq!(
        refusal(r#"a = "${x""#),
        "1:5: found a text without end, expected '\"' on the same line"
    );
    assert_eq!(
        refusal("a = \"x\ny\""),
        "1:7: found '\\n', expected '\"' at the end of the text"
    );
}

#[test]
fn comments_of_three_kinds() {
    assert_eq!(
        tree("# one\n// two\na = 1 /* three\n */ b = 2 # end"),
        json!({"a": 1, "b": 2})
    );
    assert_eq!(
        refusal("a = 1 /* x"),
        "1:7: found a comment without end, expected '*/' after it"
    );
}

#[test]
fn heredocs_plain_and_indented() {
    assert_eq!(
        tree("a = <<EOF\n  x\ny\nEOF\nb = <<-END\n    p\n      q\n    END\nc = 1"),
        json!({"a": "  x\ny\n", "b": "p\n  q\n", "c": 1})
    );
    assert_eq!(
        tree("a = <<-EOF\n  x\n y\n    EOF\n"),
        json!({"a": "  x\n y\n"})
    );
    assert_eq!(
        refusal("a = <<EOF\nx\n"),
        "1:5: found a text without end, expected a line with nothing but EOF"
    );
}

#[test]
fn booleans_are_lower_case_only() {
    assert_eq!(tree("a = true b = false"), json!({"a": true, "b": false}));
    assert_eq!(
        refusal("a = TRUE"),
        "1:5: found the bare word \"TRUE\", expected true or false in lower case"
    );
}

#[test]
fn what_is_not_hcl_is_refused_at_its_place() {
    for (text, error) in [
        (
            "a = 1; b = 2",
            "1:6: found ';', expected a key, a value, a bracket or a comment",
        ),
        (
            "a = x",
            "1:5: found the bare word \"x\", expected a value; a text stands in double quotes",
        ),
        (
            "a =\n",
            "2:1: found the end of the document, expected a value",
        ),
        (
            "a",
            "1:2: found the end of the document, expected '=', '{' or a label after the key",
        ),
        (
            "a {",
            "1:4: found the end of the document, expected a key, or the end of the block",
        ),
        ("a = [1 2]", "1:8: found 2, expected ',' or ']'"),
        (
            "}",
            "1:1: found '}', expected a key, or the end of the block",
        ),
        (
            "5 = 1",
            "1:1: found 5, expected a key, or the end of the block",
        ),
        (
            "ä = \u{1}",
            "1:5: found '\\u{1}', expected a key, a value, a bracket or a comment",
        ),
    ] {
        assert_eq!(refusal(text), error, "{text:?}");
    }
}

#[test]
fn json_in_a_document_is_read_as_json() {
    assert_eq!(
        tree(" {\"a\": [1, {\"b\": null}], \"c\": 1e2, \"a\": 2}"),
        json!({"a": 2, "c": 100.0})
    );
    assert_eq!(
        refusal("{\"a\": 1,}"),
        "1:9: found '}' looking for beginning of object key string, expected JSON"
    );
    assert_eq!(
        refusal("{\"a\": 1} x"),
        "1:10: found 'x', expected nothing after the JSON object"
    );
}

#[test]
fn json_errors_have_the_words_of_go() {
    for (text, error) in [
        ("", "EOF"),
        (" \n", "EOF"),
        ("{", "unexpected EOF"),
        ("{\"a\":", "unexpected EOF"),
        (
            "hello",
            "invalid character 'h' looking for beginning of value",
        ),
        (
            "{a}",
            "invalid character 'a' looking for beginning of object key string",
        ),
        ("{\"a\" 1}", "invalid character '1' after object key"),
        (
            "{\"a\":1 2}",
            "invalid character '2' after object key:value pair",
        ),
        ("[1 2]", "invalid character '2' after array element"),
        (
            "trXe",
            "invalid character 'X' in literal true (expecting 'u')",
        ),
        ("\"\n\"", "invalid character '\\n' in string literal"),
        ("\"\\q\"", "invalid character 'q' in string escape code"),
        (
            "\"\\u00x0\"",
            "invalid character 'x' in \\u hexadecimal character escape",
        ),
        ("-x", "invalid character 'x' in numeric literal"),
        (
            "1.x",
            "invalid character 'x' after decimal point in numeric literal",
        ),
        (
            "1ex",
            "invalid character 'x' in exponent of numeric literal",
        ),
    ] {
        match parse_first_json(text) {
            Ok(value) => panic!("{text:?} became {:?}", value.to_json()),
            Err(found) => assert_eq!(found.to_string(), error, "{text:?}"),
        }
    }
}

#[test]
fn only_the_first_json_value_is_read() {
    let first = parse_first_json("{\"a\":\"\\ud83d\\ude00\\ud83d\"} garbage").expect("JSON");
    assert_eq!(first.to_json(), json!({"a": "😀\u{fffd}"}));
}

#[test]
fn depth_ends_at_64() {
    let nested = |levels: usize| format!("{}{}", "a {".repeat(levels), "}".repeat(levels));
    assert!(parse(&nested(MAX_DEPTH)).is_ok());
    assert!(refusal(&nested(MAX_DEPTH + 1)).contains("at most 64 levels"));
    let lists = |levels: usize| format!("a = {}{}", "[".repeat(levels), "]".repeat(levels));
    assert!(parse(&lists(MAX_DEPTH)).is_ok());
    assert!(refusal(&lists(100_000)).contains("at most 64 levels"));
    let json = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    assert!(parse(&json(MAX_DEPTH)).is_ok());
    assert!(refusal(&json(100_000)).contains("at most 64 levels"));
    assert!(refusal(&format!("a {}", "\"b\" ".repeat(100_000))).contains("at most 64 levels"));
}

#[test]
fn size_ends_at_one_mebibyte() {
    let document = |bytes: usize| format!("#{}", "x".repeat(bytes - 1));
    assert!(parse(&document(MAX_BYTES)).is_ok());
    assert_eq!(
        refusal(&document(MAX_BYTES + 1)),
        "1:1: found a document of 1048577 bytes, expected at most 1048576"
    );
}

#[test]
fn a_megabyte_of_keys_or_blocks_takes_no_quadratic_time() {
    let start = std::time::Instant::now();
    let keys: String = (0..100_000)
        .map(|number| format!("k{number}=1\n"))
        .collect();
    assert_eq!(parse(&keys).expect("keys").len(), 100_000);
    let blocks = "a{}".repeat(MAX_BYTES / 3);
    assert_eq!(parse(&blocks).expect("blocks").len(), 1);
    assert!(start.elapsed() < std::time::Duration::from_secs(20));
}

#[test]
fn positions_count_lines_and_characters() {
    let object = parse("a = 1\n  é = [\n 7]").expect("HCL");
    let entry = object.entry("é").expect("key");
    assert_eq!(entry.position.to_string(), "2:3");
    let ValueKind::List(items) = &entry.value.kind else {
        panic!("a list")
    };
    assert_eq!(items[0].position.to_string(), "3:2");
}

const SAMPLE: &str = r#"
# a comment
ports { http = 8500, https = -1 } server = true
"quoted" = "a${b}" text = <<-EOF
    line
    EOF
service "web" { port = 0x50 check { ttl = "1\u0041s" } } list = [1, 2.5e3, [true], { a = "b" }]
"#;

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = parse(&text);
        let _ = parse_first_json(&text);
    }

    #[test]
    fn no_soup_of_tokens_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", "=", ",", "\"", "\\", "${", "<<", "<<-EOF\n", "EOF\n", "\n", "a", "0x",
        "-", "1", ".", "e", "true", "/*", "*/", "//", "#", "\u{feff}", "é", ":", "null", "\\u", "\r",
    ]), 0..60)) {
        let text = parts.concat();
        let _ = parse(&text);
        let _ = parse_first_json(&text);
    }

    #[test]
    fn no_mutation_of_a_good_document_panics(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<char>(), 0..3_u8), 1..6),
    ) {
        let mut characters: Vec<char> = SAMPLE.chars().collect();
        for (index, character, how) in cuts {
            let at = index.index(characters.len());
            match how {
                0 => characters[at] = character,
                1 => { characters.remove(at); }
                _ => characters.insert(at, character),
            }
        }
        let text: String = characters.into_iter().collect();
        let _ = parse(&text);
    }

    #[test]
    fn json_round_trips(value in json_value()) {
        let text = json!({"v": value}).to_string();
        let read = parse(&text).expect("what serde_json writes is JSON");
        prop_assert_eq!(serde_json::Value::Object(read.to_json()), json!({"v": value}));
    }
}

fn json_value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Into::into),
            prop::collection::btree_map(".*", inner, 0..5)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
