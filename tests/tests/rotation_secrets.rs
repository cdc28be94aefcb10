//! Secrets of the CA are planted and then looked for: the key that the operator gives, in logs
//! at trace level, errors, everything that the API answers, the arguments and the environment of
//! the process, and the data directory, of an agent that was also killed and started again.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use chancery::http::endpoints;
use chancery_tests::{Agent, AgentHome, Ca, Canary, free_port};
use serde_json::{Value, json};

/// How much was looked at, and where a secret was seen.
#[derive(Default)]
struct Seen {
    looked: usize,
    found: Vec<String>,
}

impl Seen {
    fn look(&mut self, canaries: &[Canary], place: &str, bytes: &[u8]) {
        self.looked += 1;
        for canary in canaries {
            if canary.is_in(bytes) {
                self.found.push(format!("{} in {place}", canary.name()));
            }
        }
    }
}

#[tokio::test]
async fn no_planted_secret_is_seen_anywhere() {
    let given = rcgen::KeyPair::generate().unwrap();
    let refused = rcgen::KeyPair::generate().unwrap();
    let broken = "c2VjcmV0LW9mLXRoZS1vcGVyYXRvci1vbmUtdHdvLXRocmVl";
    let canaries = [
        Canary::key("the key in use", &given.serialize_pem()).unwrap(),
        Canary::key("the refused key", &refused.serialize_pem()).unwrap(),
        Canary::text("the broken key", broken),
    ];
    let home = AgentHome::with_connect("", "log_level = \"trace\"").unwrap();
    let port = free_port().unwrap();
    let mut seen = Seen::default();

    let agent = Agent::start_at(&home, port).await.unwrap();
    let ca = Ca::new(agent.api());
    let options = json!({"PrivateKey": given.serialize_pem()});
    ca.configure("consul", &options).await.unwrap();
    for (place, body) in wrong(&refused.serialize_pem(), broken) {
        let path = "/v1/connect/ca/configuration";
        let answer = agent.api().call("PUT", path, Some(&body)).await.unwrap();
        assert!(!answer.status.is_success(), "{place}: {}", answer.text);
        seen.look(&canaries, place, answer.text.as_bytes());
    }
    look_at(&agent, &canaries, &mut seen).await;
    agent.kill().await.unwrap();
    let agent = Agent::start_at(&home, port).await.unwrap();
    let ca = Ca::new(agent.api());
    ca.leaf("web").await.unwrap();
    // Other options, the key kept: it must have been stored somewhere to be used here.
    let configuration = ca.get("/v1/connect/ca/configuration").await.unwrap();
    let roots = ca.roots().await.unwrap();
    let mut options = configuration["Config"].clone();
    options["LeafCertTTL"] = json!("24h");
    ca.configure("consul", &options).await.unwrap();
    assert_eq!(ca.roots().await.unwrap().ids(), roots.ids());
    look_at(&agent, &canaries, &mut seen).await;

    for canary in &canaries {
        let (files, looked) = canary.files_below(&home.data_dir()).unwrap();
        assert!(looked >= 2, "only {looked} files in the data directory");
        seen.looked += looked;
        let place = |file: std::path::PathBuf| format!("{} in {}", canary.name(), file.display());
        seen.found.extend(files.into_iter().map(place));
    }
    println!("looked at {} places", seen.looked);
    assert_eq!(seen.found, Vec::<String>::new());

    // The search does find what is there.
    let file = home.data_dir().join("left-behind");
    std::fs::write(&file, given.serialized_der()).unwrap();
    let (files, _) = canaries[0].files_below(&home.data_dir()).unwrap();
    assert_eq!(files, [file]);
}

/// Changes that are refused, each with a secret in it.
fn wrong(key: &str, broken: &str) -> Vec<(&'static str, Value)> {
    let pem = |body: &str| {
        format!("-----BEGIN EC PRIVATE KEY-----\n{body}\n-----END EC PRIVATE KEY-----\n")
    };
    let other = rcgen::generate_simple_self_signed(["x".to_owned()]).unwrap();
    let change = |config: Value| json!({"Provider": "consul", "Config": config});
    vec![
        (
            "a certificate of another key",
            change(json!({"PrivateKey": key, "RootCert": other.cert.pem()})),
        ),
        (
            "a key that is none",
            change(json!({"PrivateKey": pem(broken)})),
        ),
        (
            "a key that is no PEM",
            change(json!({"PrivateKey": broken})),
        ),
        (
            "a key beside a time that is none",
            change(json!({"LeafCertTTL": "soon", "PrivateKey": key})),
        ),
        (
            "a key in an unknown provider's options",
            json!({"Provider": "nope", "Config": {"PrivateKey": key}}),
        ),
        (
            "a key outside the options, a number in them",
            json!({"Provider": "consul", "PrivateKey": key, "Config": {"PrivateKey": 5}}),
        ),
    ]
}

/// Everything that the agent shows.
async fn look_at(agent: &Agent, canaries: &[Canary], seen: &mut Seen) {
    for endpoint in endpoints().filter(|endpoint| endpoint.method == "GET") {
        let path = match endpoint.path {
            path if path.ends_with('/') => format!("{path}web"),
            path => path.to_owned(),
        };
        let answer = agent.api().call("GET", &path, None).await.unwrap();
        seen.look(canaries, &path, answer.text.as_bytes());
    }
    let process = agent.process();
    seen.look(canaries, "the log", process.output().as_bytes());
    assert!(process.output().contains("==> Log data will now stream in"));
    for part in ["cmdline", "environ"] {
        let path = format!("/proc/{}/{part}", process.id());
        seen.look(canaries, part, &std::fs::read(path).unwrap());
    }
}
