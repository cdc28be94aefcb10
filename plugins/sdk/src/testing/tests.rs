use super::*;
use crate::http::{HttpError, Request, Response};
use crate::keys::KeyError;
use crate::log::Level;
use crate::state::WriteError;
use crate::{
    Capabilities, CleanUpRequest, CleanUpScope, ErrorKind, IntermediateAnswer, IntermediateRequest,
    Issuer, KeyType, OptionKind, certificate, keys, log, state,
};

/// Does what its options say.
struct Odd {
    calls: u32,
}

impl Ca for Odd {
    fn describe() -> Description {
        Description::new("odd", "1", "for tests")
            .can(Capabilities::CROSS_SIGN)
            .option(OptionSpec::number("count", "a number"))
            .option(OptionSpec::url("address", "a URL").required())
            .option(OptionSpec::duration("patience", "a time").default_value("1h30m"))
            .option(OptionSpec::new(OptionKind::Texts, "mounts", "several"))
    }

    fn configure(config: Config) -> Result<Self, ConfigureError> {
        let patience: std::time::Duration = config.options.read("patience")?;
        assert_eq!(patience.as_secs(), 5400);
        let mounts: Option<Vec<String>> = config.options.read("mounts")?;
        assert!(mounts.is_none_or(|mounts| mounts == ["a", "b"]));
        assert_eq!(state::set("x", "y"), Err(WriteError::ReadOnly));
        Ok(Self { calls: 0 })
    }

    fn check(&mut self) -> Result<(), Error> {
        let answer = Request::get("http://127.0.0.1:8200/v1/sys/health").send()?;
        assert_eq!(answer.status(), 204);
        Ok(())
    }

    fn root(&mut self, request: RootRequest) -> Result<Certificate, Error> {
        self.calls += 1;
        let key = keys::generate("root", request.template.key)?;
        let root = certificate::root(&key, &request.template)?;
        state::set("root", &root)?;
        log::info(format_args!("made {}", self.calls));
        if request.renew {
            return Err(Error::unavailable("at the last moment"));
        }
        Ok(root)
    }

    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let key = keys::open("root").ok_or_else(|| Error::refused("no root"))?;
        let root = state::value("root").ok_or_else(|| Error::refused("no root"))?;
        assert_eq!(keys::remove("root"), Err(KeyError::ReadOnly));
        Issuer::new(Certificate::from_der(root), key)?.leaf(&request)
    }
}

fn odd() -> Host<Odd> {
    Host::new().option("address", "http://127.0.0.1:8200")
}

#[test]
fn all_wrong_options_are_named_at_once() {
    let host = Host::<Odd>::new()
        .option("count", "many")
        .option("colour", "red");
    let ConfigureError::Options(problems) = host.configure().unwrap_err() else {
        panic!("it is about options");
    };
    let names: Vec<_> = problems.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["colour", "count", "address"]);
}

#[test]
fn what_a_failed_call_has_written_is_gone() {
    let host = odd().texts("mounts", ["a", "b"]);
    let mut request = root_request(1);
    request.renew = true;
    assert_eq!(
        host.root(request).unwrap_err().kind(),
        ErrorKind::Unavailable
    );
    let early = host.sign_leaf(leaf_request("web")).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::Refused);
    let root = host.root(root_request(1)).unwrap();
    let chain = host.sign_leaf(leaf_request("web")).unwrap();
    assert_eq!(chain.len(), 1);
    verify(&chain[0], &root).unwrap();
    // Each call had an instance of its own.
    let made = (Level::Info, "made 1".to_owned());
    assert_eq!(host.lines(), [made.clone(), made]);
}

#[test]
fn requests_are_answered_by_the_test_or_denied() {
    let denied = odd().check().unwrap_err();
    assert_eq!(denied.kind(), ErrorKind::Misconfigured);
    assert!(denied.message().contains("127.0.0.1:8200"), "{denied}");
    odd()
        .web(|request| {
            assert_eq!(request.url(), "http://127.0.0.1:8200/v1/sys/health");
            Ok(Response::new(204, ""))
        })
        .check()
        .unwrap();
}

#[test]
fn a_long_answer_is_cut_off_and_a_retry_time_is_read() {
    let host = odd().web(|_| Ok(Response::new(429, vec![0; 11]).with_header("Retry-After", "7")));
    host.within(|| {
        let request = Request::get("http://a/");
        let answer = request.clone().max_body(11).send().unwrap();
        assert_eq!(answer.retry_after().unwrap().as_secs(), 7);
        let refused = request.max_body(10).send();
        assert_eq!(refused, Err(HttpError::TooLong { allowed: 10 }));
    });
}

#[test]
fn what_is_not_implemented_is_refused() {
    let host = odd();
    host.root(root_request(1)).unwrap();
    let request: IntermediateRequest = intermediate_request(5);
    let answers: [Result<(), Error>; 4] = [
        host.intermediate(request)
            .map(|_answer: IntermediateAnswer| ()),
        host.accept_intermediate(Vec::new()),
        host.sign_intermediate(sign_intermediate_request())
            .map(drop),
        host.cross_sign(cross_sign_request(&Certificate::from_der(Vec::new())))
            .map(drop),
    ];
    for answer in answers {
        assert_eq!(answer.unwrap_err().kind(), ErrorKind::Refused);
    }
    assert_eq!(host.findings(), Ok(Vec::new()));
    host.clean_up(CleanUpRequest {
        scope: CleanUpScope::Everything,
        keep: Vec::new(),
    })
    .unwrap();
}

#[test]
fn state_and_keys_have_their_limits() {
    odd().within(|| {
        state::set("k", vec![0; 64 * 1024 - 1]).unwrap();
        assert_eq!(state::set("l", ""), Err(WriteError::Full));
        state::set("k", "small").unwrap();
        assert_eq!(state::text("k").as_deref(), Some("small"));
        assert_eq!(state::set("", "x"), Err(WriteError::Full));
        state::set(&"n".repeat(256), "x").unwrap();
        assert_eq!(state::set(&"n".repeat(257), "x"), Err(WriteError::Full));
        assert_eq!(state::keys().len(), 2);
        for number in 0..16 {
            keys::generate(&format!("key {number}"), KeyType::EcP256).unwrap();
        }
        let full = keys::generate("one more", KeyType::EcP256).unwrap_err();
        assert_eq!(full, KeyError::Full);
        keys::remove("key 3").unwrap();
        assert!(keys::open("key 3").is_none());
        keys::generate(&"n".repeat(64), KeyType::Ed25519).unwrap();
        let twice = keys::generate("key 4", KeyType::EcP256).unwrap_err();
        assert_eq!(twice, KeyError::Exists);
    });
}
