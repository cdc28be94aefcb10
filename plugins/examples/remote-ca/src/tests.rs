use std::sync::{Arc, Mutex};

use chancery_plugin::http::{HttpError, Response};
use chancery_plugin::testing::{self, Host, clean_up_request, leaf_request, root_request};
use chancery_plugin::{ErrorKind, KeyType};

use super::*;

const TOKEN: &str = "s.secret";

fn host() -> Host<RemoteCa> {
    Host::new()
        .option("address", "http://127.0.0.1:8200/")
        .option("token", TOKEN)
        .option("mount", "mesh/")
}

/// A root that stands for OpenBao's.
fn root_pem() -> String {
    let host = Host::<testing::Nothing>::new();
    host.within(|| {
        let key = chancery_plugin::keys::generate("k", KeyType::EcP256).unwrap();
        certificate::root(&key, &root_request(1).template)
            .unwrap()
            .pem()
    })
}

#[test]
fn a_root_is_made_once_and_its_issuer_signs() {
    let root = root_pem();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let host = host().web(move |request| {
        assert_eq!(request.header_value("X-Vault-Token"), Some(TOKEN));
        let path = request.url().strip_prefix("http://127.0.0.1:8200/v1/");
        log.lock()
            .unwrap()
            .push(format!("{} {}", request.method(), path.unwrap()));
        let data = json!({ "data": { "certificate": root, "issuer_id": "i-1" } });
        Ok(if request.method() == &chancery_plugin::http::Method::Get {
            let body = json!({ "errors": ["unable to find PKI issuer for reference"] });
            Response::new(500, body.to_string())
        } else {
            Response::new(200, data.to_string())
        })
    });
    let root = host.root(root_request(1)).unwrap();
    assert_eq!(host.root(root_request(1)).unwrap(), root);
    assert_eq!(host.root(root_request(2)).unwrap(), root);
    host.sign_leaf(leaf_request("web")).unwrap();
    let operation = "01".repeat(16);
    assert_eq!(
        *seen.lock().unwrap(),
        [
            format!("GET mesh/issuer/chancery-{operation}"),
            "POST mesh/root/generate/internal".to_owned(),
            "POST mesh/issuer/i-1/sign/leaf".to_owned(),
        ]
    );
}

#[test]
fn what_openbao_says_becomes_the_right_kind_and_holds_no_token() {
    for (status, kind) in [
        (400, ErrorKind::Refused),
        (403, ErrorKind::Unauthorised),
        (404, ErrorKind::Misconfigured),
        (429, ErrorKind::RateLimited),
        (301, ErrorKind::Broken),
        (503, ErrorKind::Unavailable),
    ] {
        let body = json!({ "errors": ["no"] }).to_string();
        let host = host().web(move |_| Ok(Response::new(status, body.clone())));
        let error = host.check().unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.message().starts_with("auth/token/lookup-self: "));
        assert!(!error.message().contains(TOKEN));
    }
    let away = host().web(|_| {
        Err(HttpError::Unreachable {
            authority: "127.0.0.1:8200".to_owned(),
            reason: "connection refused".to_owned(),
        })
    });
    let error = away.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(
        error.message(),
        "auth/token/lookup-self: 127.0.0.1:8200 cannot be reached: connection refused"
    );
}

#[test]
fn an_answer_that_is_no_openbao_s_is_told_by_its_path() {
    for (status, body, kind, message) in [
        (
            200,
            "<html>",
            ErrorKind::Broken,
            "the answer is no JSON: expected value at line 1 column 1",
        ),
        (
            502,
            "<html>",
            ErrorKind::Unavailable,
            "OpenBao answered 502",
        ),
        (503, "", ErrorKind::Unavailable, "OpenBao answered 503"),
        (
            503,
            r#"{"errors":["Vault is\nsealed"]}"#,
            ErrorKind::Unavailable,
            "OpenBao answered 503: Vault is sealed",
        ),
    ] {
        let host = host().web(move |_| Ok(Response::new(status, body)));
        let error = host.check().unwrap_err();
        assert_eq!(error.kind(), kind, "{message}");
        assert_eq!(
            error.message(),
            format!("auth/token/lookup-self: {message}")
        );
    }
    let host = host().web(|request| {
        let asks = request.method() == &chancery_plugin::http::Method::Get;
        Ok(match asks {
            true => Response::new(404, r#"{"errors":["unable to find PKI issuer"]}"#),
            false => Response::new(200, r#"{"data":{}}"#),
        })
    });
    let error = host.root(root_request(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broken);
    let path = format!("issuer/chancery-{}: ", "01".repeat(16));
    assert!(error.message().starts_with(&path), "{error}");
}

#[test]
fn what_was_made_goes_when_nobody_trusts_it_and_not_before() {
    let root = root_pem();
    let gone = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&gone);
    let host = host().web(move |request| {
        use chancery_plugin::http::Method;
        let path = request.url().strip_prefix("http://127.0.0.1:8200/v1/mesh/");
        Ok(match request.method() {
            Method::Delete => {
                log.lock().unwrap().push(path.unwrap().to_owned());
                Response::new(204, "")
            }
            Method::Get => Response::new(404, r#"{"errors":["unable to find PKI issuer"]}"#),
            _ => {
                let data = json!({ "data": { "certificate": root, "issuer_id": "i-1" } });
                Response::new(200, data.to_string())
            }
        })
    });
    let root = host.root(root_request(1)).unwrap();
    for (scope, keep) in [
        (CleanUpScope::Issuing, Vec::new()),
        (CleanUpScope::Everything, vec![root]),
    ] {
        host.clean_up(clean_up_request(scope, keep)).unwrap();
        assert_eq!(*gone.lock().unwrap(), [""; 0]);
    }
    host.clean_up(clean_up_request(CleanUpScope::Everything, Vec::new()))
        .unwrap();
    let name = format!("chancery-{}", "01".repeat(16));
    assert_eq!(
        *gone.lock().unwrap(),
        [format!("issuer/{name}"), format!("key/{name}")]
    );
}

#[test]
fn without_address_and_token_both_are_named() {
    let ConfigureError::Options(problems) = Host::<RemoteCa>::new().configure().unwrap_err() else {
        panic!("it is about options");
    };
    let names: Vec<_> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["address", "token"]);
}
