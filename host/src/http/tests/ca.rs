//! The certificate authority over HTTP.

use chancery_core::Sealed;
use serde_json::{Value, json};

use super::harness::{Reply, Served, serve_ca};

const PATH: &str = "/v1/connect/ca/configuration";

impl Served {
    async fn put(&self, path: &str, body: &Value) -> Reply {
        self.put_text(path, &body.to_string()).await
    }

    async fn put_text(&self, path: &str, body: &str) -> Reply {
        self.send(&format!("PUT {path}"), "", body).await
    }

    async fn json(&self, path: &str) -> Value {
        let reply = self.get(path).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        serde_json::from_str(&reply.body).unwrap()
    }

    fn sealed_secrets(&self) -> Option<Sealed> {
        let view = self.agent.server().view();
        let authority = view.state().authority();
        authority.configuration().unwrap().secrets.clone()
    }
}

fn assert_answer(reply: &Reply, status: u16, text: &str) {
    assert_eq!((reply.status, reply.body.as_str()), (status, text));
}

#[tokio::test]
async fn a_changed_configuration_is_shown_as_it_was_sent() {
    let served = serve_ca().await;
    let before = served.json(PATH).await;
    let config = json!({"leaf_cert_ttl": "26h", "IntermediateCertTTL": "288h", "Unknown": [1]});
    let body = json!({"provider": "consul", "config": config, "force_without_cross_signing": true});
    assert_answer(&served.put(PATH, &body).await, 200, "");
    let after = served.json(PATH).await;
    assert_eq!(after["Config"], config);
    assert_eq!(after["State"], Value::Null);
    assert_eq!(after["ForceWithoutCrossSigning"], true);
    assert_eq!(after["CreateIndex"], before["CreateIndex"]);
    assert!(after["ModifyIndex"].as_u64() > before["ModifyIndex"].as_u64());
    // Consul ignores the other spelling; here it counts.
    let view = served.agent.server().view();
    let lifetimes = view.state().authority().configuration().unwrap().lifetimes;
    assert_eq!(lifetimes.leaf.as_secs(), 26 * 3600);
    // Saying the same again changes nothing.
    assert_answer(&served.put(PATH, &body).await, 200, "");
    assert_eq!(served.json(PATH).await, after);
}

#[tokio::test]
async fn bodies_that_cannot_be_read_have_consuls_texts() {
    let served = serve_ca().await;
    let before = served.json(PATH).await;
    let prefix = "Bad request: Request decode failed: ";
    for (body, text) in [
        ("", "EOF"),
        ("{", "unexpected EOF"),
        ("null", "the body is null, a JSON object is needed"),
        (
            "hello",
            "invalid character 'h' looking for beginning of value",
        ),
        (
            "[]",
            "json: cannot unmarshal array into Go value of type struct { \
             ForceWithoutCrossSigningSnake bool \"json:\\\"force_without_cross_signing\\\"\"; \
             *structs.Alias }",
        ),
        (
            r#"{"Provider":1}"#,
            "json: cannot unmarshal number into Go struct field .Provider of type string",
        ),
        (
            r#"{"Config":"x"}"#,
            "json: cannot unmarshal string into Go struct field .Config of type \
             map[string]interface {}",
        ),
        (
            r#"{"ForceWithoutCrossSigning":"yes"}"#,
            "json: cannot unmarshal string into Go struct field .ForceWithoutCrossSigning of type \
             bool",
        ),
        (r#"{"Bogus":1}"#, "json: unknown field \"Bogus\""),
    ] {
        let reply = served.put_text(PATH, body).await;
        assert_answer(&reply, 400, &format!("{prefix}{text}"));
    }
    let state = json!({"Provider": "consul", "Config": {}, "State": {"a": "b"}});
    assert_answer(
        &served.put(PATH, &state).await,
        400,
        "Bad request: Provider State is read-only. It must be omitted or identical to the current \
         value",
    );
    let long = json!({"Provider": "consul", "Config": {"RootCert": "x".repeat(128 << 10)}});
    assert_eq!(served.put(PATH, &long).await.status, 413);
    let method = served.send(&format!("POST {PATH}"), "", "{}").await;
    assert_answer(&method, 405, "method POST not allowed");
    assert!(method.head.contains("Allow: OPTIONS,GET,PUT"), "{method:?}");
    assert_eq!(served.json(PATH).await, before);
}

#[tokio::test]
async fn an_index_that_is_out_of_date_changes_nothing_and_says_so() {
    let served = serve_ca().await;
    let shown = served.json(PATH).await;
    assert_answer(&served.put(PATH, &shown).await, 200, "");
    assert_eq!(served.json(PATH).await, shown);
    let mut changed = shown.clone();
    changed["Config"]["LeafCertTTL"] = "30h".into();
    assert_answer(&served.put(PATH, &changed).await, 200, "");
    let index = served.json(PATH).await["ModifyIndex"].as_u64().unwrap();
    changed["Config"]["LeafCertTTL"] = "31h".into();
    let old = shown["ModifyIndex"].as_u64().unwrap();
    assert_answer(
        &served.put(PATH, &changed).await,
        409,
        &format!(
            "the CA configuration has changed since it was read: ModifyIndex is {old}, the \
             current one is {index}; read it again, or leave ModifyIndex out to overwrite it"
        ),
    );
    assert_eq!(served.json(PATH).await["Config"]["LeafCertTTL"], "30h");
}

#[tokio::test]
async fn secrets_are_shown_to_nobody_and_kept_for_what_they_were_given_for() {
    let served = serve_ca().await;
    // The built-in CA passes over what it does not know, so that no Vault is needed here.
    let given = json!({"Provider": "consul", "Config": {
        "Address": "http://a", "Token": "canary-token",
        "AuthMethod": {"Type": "approle", "Params": {"secret_id": "canary-params"}},
    }});
    assert_answer(&served.put(PATH, &given).await, 200, "");
    let shown = served.get(PATH).await.body;
    assert!(
        !shown.contains("canary") && shown.contains("approle"),
        "{shown}"
    );
    let sealed = served.sealed_secrets().unwrap();
    let mut shown: Value = serde_json::from_str(&shown).unwrap();
    assert_answer(&served.put(PATH, &shown).await, 200, "");
    shown["Config"]["LeafCertTTL"] = "30h".into();
    assert_answer(&served.put(PATH, &shown).await, 200, "");
    assert_eq!(served.sealed_secrets(), Some(sealed));

    let mut elsewhere = served.json(PATH).await;
    for (name, value) in [
        ("Address", json!("http://b")),
        ("Namespace", json!("n")),
        ("AuthMethod", json!({"Type": "jwt"})),
    ] {
        let old = elsewhere["Config"][name].take();
        elsewhere["Config"][name] = value;
        let reply = served.put(PATH, &elsewhere).await;
        assert_answer(
            &reply,
            400,
            &format!(
                "Bad request: AuthMethod.Params was given for the {name} that is configured now, \
                 and is kept only as long as that is the same: give AuthMethod.Params anew, or an \
                 empty one to drop it"
            ),
        );
        elsewhere["Config"][name] = old;
    }
    elsewhere["Config"]["Address"] = "http://b".into();
    elsewhere["Config"]["Token"] = "".into();
    elsewhere["Config"]["AuthMethod"]["Params"] = json!({"secret_id": "another"});
    assert_answer(&served.put(PATH, &elsewhere).await, 200, "");
    assert!(served.sealed_secrets().is_some());
    let all_gone = json!({"Provider": "consul", "Config": {"Address": "http://b"}});
    assert_answer(&served.put(PATH, &all_gone).await, 200, "");
    assert_eq!(served.sealed_secrets(), None);
}

#[tokio::test]
async fn options_that_name_files_come_from_the_configuration_file_only() {
    let served = serve_ca().await;
    for (name, config) in [
        ("CAFile", json!({"CAFile": "/etc/passwd"})),
        ("CAPath", json!({"ca_path": "/etc"})),
        ("CertFile", json!({"CertFile": "/x", "KeyFile": "/y"})),
        ("KeyFile", json!({"keyfile": 1})),
        (
            "AuthMethod.Params.path",
            json!({"AuthMethod": {"Type": "jwt", "Params": {"path": "/etc/shadow"}}}),
        ),
        (
            "AuthMethod.Params.token_file_path",
            json!({"auth_method": {"params": {"TokenFilePath": "/etc/shadow"}}}),
        ),
    ] {
        let body = json!({"Provider": "consul", "Config": config});
        assert_answer(
            &served.put(PATH, &body).await,
            400,
            &format!(
                "Bad request: {name} names a file of the agent's machine: it may be set in the \
                 configuration file only"
            ),
        );
    }
}

const STATUS: &str = "/v1/chancery/ca/status";
const ROTATE: &str = "/v1/chancery/ca/rotate";

#[tokio::test]
async fn the_status_follows_a_new_root_and_the_leafs_that_move_to_it() {
    let served = serve_ca().await;
    assert_eq!(
        served.get("/v1/agent/connect/ca/leaf/web").await.status,
        200
    );
    let before = served.json(STATUS).await;
    assert_eq!(before["state"], "serving");
    assert_eq!(before["epoch"], 1);
    assert_eq!(before["leafs"], json!({"total": 1, "moved": 1}));
    assert_eq!(before["roots"][0]["state"], "active");
    assert_eq!(before["roots"][0]["leafs"], 1);
    assert_eq!(before["rotation"], Value::Null);
    assert_eq!(before["difference"], Value::Null);
    assert_eq!(before["next"].as_array().unwrap().len(), 1);

    let plan: Value =
        serde_json::from_str(&served.put(ROTATE, &json!({"DryRun": true})).await.body).unwrap();
    assert_eq!(plan["refused"], Value::Null);
    assert_eq!(plan["new_root"], true);
    assert_eq!(plan["cross_signed"], true);
    assert_eq!(
        (&plan["path_length"], &plan["longest_path"]),
        (&json!(2), &json!(6))
    );
    assert_eq!(plan["risks"], json!([]));
    assert_eq!(
        served.json(STATUS).await["epoch"],
        1,
        "a dry run does nothing"
    );

    let done = served.send(&format!("POST {ROTATE}"), "", "").await;
    assert_eq!(done.status, 200, "{done:?}");
    let after = served.json(STATUS).await;
    assert_eq!(after["epoch"], 2);
    let roots = after["roots"].as_array().unwrap();
    let states: Vec<_> = roots.iter().map(|root| root["state"].clone()).collect();
    assert_eq!(states, ["active", "retired"]);
    assert_eq!(roots[1]["id"], before["roots"][0]["id"]);
    assert_eq!(roots[0]["links_to"], json!([roots[1]["id"]]));
    assert!(
        roots[1]["kept_because"]
            .as_str()
            .unwrap()
            .starts_with("until then")
    );
    assert_eq!(
        served.get("/v1/agent/connect/ca/leaf/web").await.status,
        200
    );
    assert_eq!(
        served.json(STATUS).await["leafs"],
        json!({"total": 1, "moved": 1})
    );
    let text = crate::agent::ca::CaStatus::of(&served.agent).to_string();
    for part in [
        "State:         serving\n",
        "\n  active ",
        "\n  retired ",
        "\nNext:\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[tokio::test]
async fn an_emergency_names_who_is_hit_and_retires_the_root_on_a_clock() {
    let served = serve_ca().await;
    assert_eq!(
        served.get("/v1/agent/connect/ca/leaf/web").await.status,
        200
    );
    let body = json!({"Emergency": true, "RetireAfter": "30m", "DryRun": true});
    let plan: Value = serde_json::from_str(&served.put(ROTATE, &body).await.body).unwrap();
    assert_eq!(plan["leafs"], 1);
    let risks = plan["risks"].to_string();
    assert!(risks.contains("the leafs of this agent (1)") && risks.contains("compromised key"));
    let body = json!({"Emergency": true, "RetireAfter": "30m"});
    assert_eq!(served.put(ROTATE, &body).await.status, 200);
    let status = served.json(STATUS).await;
    let old = &status["roots"][1];
    assert_eq!(old["kept_until"], old["retire_at"]);
    assert!(
        old["kept_because"]
            .as_str()
            .unwrap()
            .contains("compromised")
    );
}

#[tokio::test]
async fn what_a_rotation_cannot_be_is_refused() {
    let served = serve_ca().await;
    for (body, text) in [
        (
            json!({"RetireAfter": "1h"}),
            "Bad request: RetireAfter is for an emergency only: otherwise a root is kept as long \
             as it is needed",
        ),
        (
            json!({"Emergency": true, "RetireAfter": "-1s"}),
            "Bad request: RetireAfter: found \"-1s\", allowed is a duration such as \"1h\", not \
             negative",
        ),
        (
            json!({"Emergency": "yes"}),
            "Bad request: Request decode failed: json: cannot unmarshal string into Go struct \
             field Rotation.Emergency of type bool",
        ),
        (
            json!({"Now": true}),
            "Bad request: Request decode failed: json: unknown field \"Now\"",
        ),
    ] {
        assert_answer(&served.put(ROTATE, &body).await, 400, text);
    }
    for (method, path, body, text) in [
        ("PUT", "abandon", "", "no change of the CA is under way"),
        (
            "GET",
            "csr",
            "",
            "no intermediate waits for a signature: ask for a certificate request first",
        ),
        (
            "PUT",
            "csr",
            "",
            "no intermediate waits for a signature: ask for a certificate request first",
        ),
    ] {
        let line = format!("{method} /v1/chancery/ca/{path}");
        assert_answer(&served.send(&line, "", body).await, 409, text);
    }
    let reply = served.put_text("/v1/chancery/ca/signed", "no PEM").await;
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(served.json(STATUS).await["epoch"], 1);
}

/// A root that is kept elsewhere.
fn offline_root() -> (rcgen::CertificateParams, rcgen::KeyPair, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.key_usages = vec![
        rcgen::KeyUsagePurpose::KeyCertSign,
        rcgen::KeyUsagePurpose::CrlSign,
    ];
    let pem = params.self_signed(&key).unwrap().pem();
    (params, key, pem)
}

#[tokio::test]
async fn an_offline_root_signs_the_request_and_then_leafs_come_from_it() {
    let served = serve_ca().await;
    let (params, key, root) = offline_root();
    let body = json!({"Provider": "consul", "Config": {
        "RootCert": root, "ExternalIntermediate": true,
    }});
    let waiting = served.put(PATH, &body).await;
    assert_eq!(waiting.status, 202, "{waiting:?}");
    assert!(waiting.body.contains("set-signed"), "{waiting:?}");
    let status = served.json(STATUS).await;
    assert_eq!(status["rotation"]["step"], "awaiting signature");
    assert_eq!(status["rotation"]["gives_up_at"], Value::Null);
    let busy = served.put(PATH, &json!({"Provider": "consul"})).await;
    assert_answer(&busy, 500, "CA is already in state \"RECONFIGURING\"");

    const CSR: &str = "/v1/chancery/ca/csr";
    let request = served.get(CSR).await.body;
    assert_eq!(served.put_text(CSR, "").await.body, request);
    let refused = served.put_text("/v1/chancery/ca/signed", &root).await;
    assert_eq!(refused.status, 500, "{refused:?}");
    assert_eq!(served.get(CSR).await.body, request, "it waits for another");

    let mut signing = rcgen::CertificateSigningRequestParams::from_pem(&request).unwrap();
    signing.params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
    signing.params.key_usages.clone_from(&params.key_usages);
    signing.params.use_authority_key_identifier_extension = true;
    let issuer = rcgen::Issuer::new(params, key);
    let signed = signing.signed_by(&issuer).unwrap().pem();
    let accepted = served.put_text("/v1/chancery/ca/signed", &signed).await;
    assert_answer(&accepted, 200, "");
    let status = served.json(STATUS).await;
    assert_eq!(
        (&status["epoch"], &status["rotation"]),
        (&json!(2), &Value::Null)
    );
    assert_eq!(status["intermediate"]["signed_outside"], true);
    assert_eq!(status["intermediate"]["renew_at"], Value::Null);
    let leaf = served.json("/v1/agent/connect/ca/leaf/web").await;
    let chain = leaf["CertPEM"].as_str().unwrap();
    // The leaf, its issuer, and what leads to the root before.
    assert_eq!(chain.matches("BEGIN CERTIFICATE").count(), 3);
    let plan: Value =
        serde_json::from_str(&served.put(ROTATE, &json!({"DryRun": true})).await.body).unwrap();
    assert_eq!(
        plan["refused"],
        "error configuring provider: the root is the one in RootCert: to have another, put that \
         there"
    );
}
