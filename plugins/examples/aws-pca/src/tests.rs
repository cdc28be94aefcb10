use std::sync::Mutex;

use chancery_plugin::http::{HttpError, Response};
use chancery_plugin::testing::{self, Host, clean_up_request, leaf_request, root_request};
use chancery_plugin::{ErrorKind, keys};

use super::*;

const SECRET: &str = "wJalrXUtnFEMI";

fn host() -> Host<AwsPca> {
    Host::new()
        .option("region", "eu-central-1")
        .option("access_key_id", "AKIDEXAMPLE")
        .option("secret_access_key", SECRET)
        .option("delete_on_exit", "true")
}

/// A root that stands for AWS's.
fn root_pem() -> String {
    Host::<testing::Nothing>::new().within(|| {
        let key = keys::generate("k", KeyType::EcP256).unwrap();
        let root = certificate::root(&key, &root_request(1).template).unwrap();
        root.pem()
    })
}

#[test]
fn a_ca_is_made_signs_and_goes() {
    let root = root_pem();
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&seen);
    let busy = Mutex::new(true);
    let host = host().web(move |request| {
        assert_eq!(request.url(), "https://acm-pca.eu-central-1.amazonaws.com/");
        let authorization = request.header_value("authorization").unwrap();
        assert!(authorization.starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20270101/"));
        let target = request.header_value("x-amz-target").unwrap();
        let operation = target.strip_prefix("ACMPrivateCA.").unwrap();
        log.lock().unwrap().push(operation.to_owned());
        if operation == "GetCertificate" && std::mem::take(&mut *busy.lock().unwrap()) {
            let body = json!({ "__type": "a#RequestInProgressException", "message": "wait" });
            return Ok(Response::new(400, body.to_string()));
        }
        let body = json!({
            "CertificateAuthorityArn": "arn:ca",
            "CertificateArn": "arn:certificate",
            "Csr": "a request",
            "Certificate": root,
            "CertificateAuthority": {
                "Status": "ACTIVE",
                "CertificateAuthorityConfiguration": { "SigningAlgorithm": "SHA256WITHECDSA" },
            },
        });
        Ok(Response::new(200, body.to_string()))
    });
    let root = host.root(root_request(1)).unwrap();
    assert_eq!(host.root(root_request(1)).unwrap(), root);
    host.sign_leaf(leaf_request("web")).unwrap();
    host.clean_up(clean_up_request(CleanUpScope::Everything, vec![root]))
        .unwrap();
    host.clean_up(clean_up_request(CleanUpScope::Everything, Vec::new()))
        .unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "CreateCertificateAuthority",
            "GetCertificateAuthorityCsr",
            "IssueCertificate",
            "GetCertificate",
            "GetCertificate",
            "ImportCertificateAuthorityCertificate",
            "IssueCertificate",
            "GetCertificate",
            "DescribeCertificateAuthority",
            "UpdateCertificateAuthority",
            "DeleteCertificateAuthority",
        ]
    );
}

#[test]
fn what_aws_says_becomes_the_right_kind_and_holds_no_secret() {
    for (status, word, kind) in [
        (400, "ThrottlingException", ErrorKind::RateLimited),
        (400, "ResourceNotFoundException", ErrorKind::Misconfigured),
        (400, "UnrecognizedClientException", ErrorKind::Unauthorised),
        (400, "MalformedCSRException", ErrorKind::Refused),
        (500, "InternalFailure", ErrorKind::Unavailable),
    ] {
        let body = json!({ "__type": word, "message": "no" }).to_string();
        let host = host().web(move |_| Ok(Response::new(status, body.clone())));
        let error = host.check().unwrap_err();
        assert_eq!(error.kind(), kind, "{word}");
        let told = format!("ListCertificateAuthorities: AWS answered {status} {word}: no");
        assert_eq!(error.message(), told);
    }
    let host = host().web(|_| {
        Err(HttpError::Unreachable {
            authority: "acm-pca.eu-central-1.amazonaws.com".to_owned(),
            reason: "connection refused".to_owned(),
        })
    });
    let error = host.check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.message().starts_with("ListCertificateAuthorities: "));
}

#[test]
fn what_is_never_ready_is_waited_for_only_so_long() {
    let root = root_pem();
    let asked = std::sync::Arc::new(Mutex::new(0));
    let count = std::sync::Arc::clone(&asked);
    let host = host().web(move |request| {
        if request.header_value("x-amz-target") == Some("ACMPrivateCA.GetCertificate") {
            *count.lock().unwrap() += 1;
            let body = json!({ "__type": "RequestInProgressException", "message": "wait" });
            return Ok(Response::new(400, body.to_string()));
        }
        let body = json!({
            "CertificateAuthorityArn": "arn:ca",
            "CertificateArn": "arn:certificate",
            "Csr": "a request",
            "Certificate": root,
        });
        Ok(Response::new(200, body.to_string()))
    });
    let error = host.root(root_request(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.wait().is_some());
    assert_eq!(*asked.lock().unwrap(), 6);
}

#[test]
fn a_ca_that_is_there_is_taken_by_consul_s_name_for_it_and_never_deleted() {
    let root = root_pem();
    let seen = std::sync::Arc::new(Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&seen);
    let host = host()
        .option("existing_arn", "arn:theirs")
        .web(move |request| {
            let body: Value = serde_json::from_slice(request.content()).unwrap();
            assert_eq!(body["CertificateAuthorityArn"], "arn:theirs");
            let target = request.header_value("x-amz-target").unwrap();
            let operation = target.strip_prefix("ACMPrivateCA.").unwrap();
            log.lock().unwrap().push(operation.to_owned());
            let body = json!({
                "Certificate": root,
                "CertificateAuthority": {
                    "CertificateAuthorityConfiguration": { "SigningAlgorithm": "SHA256WITHRSA" },
                },
            });
            Ok(Response::new(200, body.to_string()))
        });
    host.root(root_request(1)).unwrap();
    let mut renew = root_request(2);
    renew.renew = true;
    assert_eq!(host.root(renew).unwrap_err().kind(), ErrorKind::Refused);
    host.clean_up(clean_up_request(CleanUpScope::Everything, Vec::new()))
        .unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            "GetCertificateAuthorityCertificate",
            "DescribeCertificateAuthority"
        ]
    );
}

#[test]
fn an_endpoint_with_a_path_could_not_be_signed_and_is_refused() {
    for (endpoint, good) in [
        ("https://pca.example.com", true),
        ("https://pca.example.com/", true),
        ("https://pca.example.com/aws", false),
    ] {
        let configured = host().option("endpoint", endpoint).configure();
        assert_eq!(configured.is_ok(), good, "{endpoint}");
    }
}
