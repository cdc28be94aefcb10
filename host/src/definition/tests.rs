use proptest::prelude::*;
use serde_json::json;

use super::*;

fn decode(body: &str) -> serde_json::Value {
    match service_from_json(body.as_bytes()) {
        Ok(definition) => to_json(&definition),
        Err(error) => panic!("{body}: {error}"),
    }
}

#[test]
fn a_whole_definition_keeps_everything_both_ways() {
    let body = json!({
        "Kind": "connect-proxy", "ID": "web-1", "Name": "web", "Tags": ["a", "b"], "Port": 80,
        "Address": "10.0.0.1", "TaggedAddresses": {"lan": {"Address": "10.0.0.2", "Port": 81}},
        "EnableTagOverride": true, "Meta": {"k": "v"}, "Weights": {"Passing": 5, "Warning": 2},
        "Token": "secret",
        "Check": {"CheckID": "c", "Name": "n", "Status": "passing", "Notes": "x", "HTTP": "http://x",
            "Header": {"H": ["1", "2"]}, "Method": "GET", "Body": "b", "TLSSkipVerify": true,
            "Interval": "10s", "Timeout": "1m30s", "SuccessBeforePassing": 2,
            "FailuresBeforeCritical": 3, "DeregisterCriticalServiceAfter": "1h0m0s",
            "OutputMaxSize": 4096},
        "Checks": [{"TTL": "15s"}, {"TCP": "x:1", "Interval": "5s"}, {"AliasService": "db", "AliasNode": "n"},
            {"Args": ["a"], "DockerContainerID": "d", "GRPC": "g"}],
        "Proxy": {"DestinationServiceName": "db", "DestinationServiceID": "db-1",
            "LocalServiceAddress": "127.0.0.2", "LocalServicePort": 5432,
            "Config": {"any": [1, {"thing": null}]},
            "Upstreams": [{"DestinationType": "prepared_query", "DestinationNamespace": "default",
                "DestinationName": "q", "Datacenter": "dc2", "LocalBindAddress": "127.0.0.3",
                "LocalBindPort": 1234, "Config": {"connect_timeout_ms": 5}, "MeshGateway": {"Mode": "local"}}],
            "MeshGateway": {"Mode": "remote"},
            "Expose": {"Checks": true, "Paths": [{"ListenerPort": 1, "Path": "/h", "LocalPathPort": 2, "Protocol": "http"}]}},
        "Connect": {"Native": true, "SidecarService": {"Port": 21000}},
    });
    assert_eq!(decode(&body.to_string()), body);
}

#[test]
fn keys_are_read_in_any_spelling() {
    let wanted = json!({"ID": "x", "Name": "web", "EnableTagOverride": true,
        "Connect": {"SidecarService": {"Proxy": {"Upstreams": [
            {"DestinationName": "db", "LocalBindPort": 9}]}}}});
    for body in [
        r#"{"ID":"x","Name":"web","EnableTagOverride":true,"Connect":{"SidecarService":{"Proxy":{"Upstreams":[{"DestinationName":"db","LocalBindPort":9}]}}}}"#,
        r#"{"id":"x","name":"web","enable_tag_override":true,"connect":{"sidecar_service":{"proxy":{"upstreams":[{"destination_name":"db","local_bind_port":9}]}}}}"#,
        r#"{"iD":"x","NAME":"web","enabletagoverride":true,"connect":{"sidecarservice":{"proxy":{"upstreams":[{"destinationname":"db","localbindport":9}]}}}} garbage"#,
    ] {
        assert_eq!(decode(body), wanted, "{body}");
    }
}

#[test]
fn durations_are_texts_or_nanoseconds_and_null_is_nothing() {
    assert_eq!(
        decode(r#"{"Name":"a","Tags":null,"Check":{"TTL":15000000000,"Interval":null}}"#),
        json!({"Name": "a", "Check": {"TTL": "15s"}})
    );
}

#[test]
fn an_empty_sidecar_is_a_sidecar() {
    assert_eq!(
        decode(r#"{"Name":"a","Connect":{"SidecarService":{}}}"#),
        json!({"Name": "a", "Connect": {"SidecarService": {}}})
    );
}

#[test]
fn mistakes_have_the_words_of_go() {
    for (body, error) in [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        (
            "hello",
            "invalid character 'h' looking for beginning of value",
        ),
        (r#"{"Name":"a","Bogus":1}"#, "json: unknown field \"Bogus\""),
        (r#"{"Namespace":"a"}"#, "json: unknown field \"Namespace\""),
        (
            r#"{"Port":"80"}"#,
            "json: cannot unmarshal string into Go struct field .Port of type int",
        ),
        (
            r#"{"Tags":"a"}"#,
            "json: cannot unmarshal string into Go struct field .Tags of type []string",
        ),
        (
            r#"{"Tags":[1]}"#,
            "json: cannot unmarshal number into Go struct field .Tags of type string",
        ),
        (
            r#"{"enable_tag_override":1}"#,
            "json: cannot unmarshal number into Go struct field .EnableTagOverride of type bool",
        ),
        (
            r#"{"Check":{"TLSSkipVerify":"x"}}"#,
            "json: cannot unmarshal string into Go struct field .TLSSkipVerify of type bool",
        ),
        (
            r#"{"Check":{"TTL":"abc"}}"#,
            "time: invalid duration \"abc\"",
        ),
        (
            r#"{"Port":"80","Bogus":1}"#,
            "json: cannot unmarshal string into Go struct field .Port of type int",
        ),
        (
            r#"{"Bogus":1,"Port":"80"}"#,
            "json: unknown field \"Bogus\"",
        ),
        (
            r#"{"Proxy":{"Upstreams":[{"Nope":1}]}}"#,
            "json: unknown field \"Nope\"",
        ),
        (
            r#"{"Connect":{"Sidecar":{}}}"#,
            "json: unknown field \"Sidecar\"",
        ),
    ] {
        match service_from_json(body.as_bytes()) {
            Ok(definition) => panic!("{body} became {}", to_json(&definition)),
            Err(found) => assert_eq!(found.to_string(), error, "{body}"),
        }
    }
}

#[test]
fn a_token_is_not_printed() {
    let definition = service_from_json(br#"{"Name":"a","Token":"canary"}"#).expect("a definition");
    assert!(!format!("{definition:?}").contains("canary"));
    let error = service_from_json(br#"{"Name":"a","Token":["canary"]}"#).expect_err("no text");
    assert!(!error.to_string().contains("canary"));
}

#[test]
fn a_check_by_itself_knows_its_service() {
    let check = check_from_json(br#"{"ID":"c","Name":"n","TTL":"10s","ServiceID":"web"}"#)
        .expect("a check");
    assert_eq!(check.registration.service_id, "web");
    assert_eq!(check.registration.definition.check_id, "c");
    let error = check_from_json(br#"{"Service":"c"}"#).expect_err("unknown field");
    assert_eq!(error.to_string(), "json: unknown field \"Service\"");
}

proptest! {
    #[test]
    fn no_body_panics(
        parts in prop::collection::vec(prop::sample::select(vec![
            "{", "}", "[", "]", ":", ",", "\"Name\"", "\"Check\"", "\"Checks\"", "\"Proxy\"",
            "\"Upstreams\"", "\"Connect\"", "\"SidecarService\"", "\"TTL\"", "\"1h\"", "\"x",
            "1", "-1e9", "null", "true", "\"Port\"", "\"Meta\"", "\"TaggedAddresses\"", "é",
        ]), 0..60),
    ) {
        let _ = service_from_json(parts.concat().as_bytes());
        let _ = check_from_json(parts.concat().as_bytes());
    }

    #[test]
    fn no_well_formed_body_panics(port in any::<i64>(), name in ".*", nanos in any::<i64>(), weight in any::<f64>()) {
        let body = json!({"Name": name, "Port": port, "Check": {"TTL": nanos}, "Weights": {"Passing": weight}});
        if let Ok(definition) = service_from_json(body.to_string().as_bytes()) {
            prop_assert_eq!(definition.registration.name, name);
            prop_assert_eq!(i64::from(definition.registration.port), port);
        }
    }
}
