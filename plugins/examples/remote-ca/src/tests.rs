use std::sync::{Arc, Mutex};

use chancery_plugin::http::{HttpError, Response};
use chancery_plugin::testing::{self, Host, leaf_request, root_request};
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
        assert!(!error.message().contains(TOKEN));
    }
    let away = host().web(|_| {
        Err(HttpError::Unreachable {
            authority: "127.0.0.1:8200".to_owned(),
            reason: "connection refused".to_owned(),
        })
    });
    assert_eq!(away.check().unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn without_address_and_token_both_are_named() {
    let ConfigureError::Options(problems) = Host::<RemoteCa>::new().configure().unwrap_err() else {
        panic!("it is about options");
    };
    let names: Vec<_> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["address", "token"]);
}
