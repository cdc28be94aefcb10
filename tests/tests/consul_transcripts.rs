//! What a real Consul 1.8.7 answered, request by request, is asked of our agent.
//!
//! Each file under `data/consul` is played against a fresh agent in dev mode. Status, headers and
//! bodies must be the same to the byte, once what differs from run to run (identifiers, times,
//! indexes, keys, hashes) is masked. Where we differ on purpose, `ledger.txt` says why; a line of
//! it that no longer applies fails as well.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use chancery_tests::{
    Audit, COMPARED_HEADERS, Differences, Ledger, Process, Reply, WireRequest, chancery_binary,
    eventually, free_port, masked,
};
use serde::Deserialize;

/// Headers that were left out when the exchanges were recorded.
const UNRECORDED: &[&str] = &[
    "Cache-Control",
    "X-Consul-Reason",
    "X-Consul-Translate-Addresses",
];

const LEDGER: &str = include_str!("data/consul/ledger.txt");

/// One request and what Consul answered, or a request that only brings about a state.
///
/// `index=CURRENT` in a path is the index of the intentions at that time.
#[derive(Debug, Deserialize)]
struct Exchange {
    #[serde(default)]
    name: String,
    #[serde(default)]
    setup: bool,
    method: String,
    path: String,
    #[serde(default)]
    body: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    status: u16,
    #[serde(default)]
    answer_headers: BTreeMap<String, String>,
    #[serde(default)]
    answer: String,
    /// Whether Consul waited to the end, which is a second or two.
    #[serde(default)]
    waits: bool,
    /// What somebody else does while this request waits.
    meanwhile: Option<Box<Self>>,
    /// The identifier that Consul gave to what this request makes.
    id: Option<String>,
}

macro_rules! transcripts {
    ($($test:ident $file:literal)+) => {$(
        #[tokio::test]
        async fn $test() {
            play($file, include_str!(concat!("data/consul/", $file, ".jsonl"))).await;
        }
    )+};
}

transcripts! {
    authorize_answers_as_consul_does "authorize"
    certificates_are_served_as_consul_does "certificates"
    changing_the_ca_answers_as_consul_does "ca-change"
    the_catalog_answers_as_consul_does "catalog"
    changing_intentions_answers_as_consul_does "intentions-change"
    creating_intentions_answers_as_consul_does "intentions-create"
    matching_intentions_answers_as_consul_does "intentions-match"
    precedence_is_as_consul_has_it "intentions-precedence"
    services_and_checks_answer_as_consul_does "services"
    ties_are_broken_as_consul_does "intentions-ties"
}

async fn play(file: &str, text: &str) {
    let (_agent, address) = start().await;
    let mut audit = Audit::new(Ledger::parse(LEDGER).section(file));
    let mut bound = Bound::default();
    for line in text.lines() {
        let exchange: Exchange = serde_json::from_str(line).unwrap();
        let mut reply = ask(address, &exchange, &bound).await;
        let mut patience = 5;
        while patience > 0 && exchange.is_slower(&reply) {
            // A machine with other things to do is slow now and then; who waits does each time.
            reply = ask(address, &exchange, &bound).await;
            patience -= 1;
        }
        if exchange.setup {
            assert_eq!(reply.status, 200, "{exchange:?}: {reply:?}");
        } else {
            audit.check(&exchange.name, &differences(&exchange, &reply));
        }
        bound.learn(&exchange, &reply);
    }
    let report = audit.report();
    assert!(report.is_empty(), "{file}:{report}");
}

impl Exchange {
    /// Whether it may be asked again: it changes nothing.
    fn is_question(&self) -> bool {
        self.method == "GET" || self.path.starts_with("/v1/agent/connect/authorize")
    }

    fn is_slower(&self, reply: &Reply) -> bool {
        self.is_question() && self.meanwhile.is_none() && !self.waits && self.has_waited(reply)
    }

    /// Whether the answer took about as long as it may be waited for, which nobody says to be
    /// less than a second.
    fn has_waited(&self, reply: &Reply) -> bool {
        let wait = self.path.split("wait=").nth(1).unwrap_or_default();
        let seconds = wait.split('s').next().and_then(|wait| wait.parse().ok());
        let longest = Duration::from_secs(seconds.unwrap_or(1));
        reply.elapsed >= longest * 9 / 10
    }
}

/// A fresh agent, once it has certificates to give.
async fn start() -> (Process, SocketAddr) {
    let port = free_port().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let mut command = Command::new(chancery_binary().unwrap());
    command.args(["agent", "-dev", "-node", "n1", "-http-port"]);
    command.arg(port.to_string());
    let agent = Process::spawn("agent", command).unwrap();
    let ready = async || {
        let url = format!("http://{address}/v1/connect/ca/roots");
        let roots = reqwest::get(url).await?.text().await?;
        if roots.contains("BEGIN CERTIFICATE") {
            return Ok(());
        }
        Err(Box::<dyn std::error::Error>::from(roots))
    };
    eventually(Duration::from_secs(20), ready).await.unwrap();
    (agent, address)
}

/// Values of the recorded run and the ones that stand for them in this one.
#[derive(Default)]
struct Bound {
    values: BTreeMap<String, String>,
}

impl Bound {
    fn learn(&mut self, exchange: &Exchange, reply: &Reply) {
        for name in ["X-Consul-Index", "X-Consul-Contenthash"] {
            if let (Some(theirs), Some(ours)) =
                (exchange.answer_headers.get(name), reply.headers.get(name))
            {
                self.values.insert(theirs.clone(), ours.clone());
            }
        }
        let recorded = exchange.id.clone().or_else(|| id_of(&exchange.answer));
        if let (Some(theirs), Some(ours)) = (recorded, id_of(&reply.body)) {
            self.values.insert(theirs, ours);
        }
    }

    /// A path in which recorded values are replaced by ours.
    fn path(&self, path: &str) -> String {
        let mut path = path.to_owned();
        for (theirs, ours) in &self.values {
            if theirs.len() > 30 {
                path = path.replace(theirs.as_str(), ours);
                path = path.replace(&theirs.to_uppercase(), &ours.to_uppercase());
            } else {
                for key in ["index=", "hash="] {
                    let (from, to) = (format!("{key}{theirs}&"), format!("{key}{ours}&"));
                    path = path.replace(&from, &to);
                }
            }
        }
        path
    }
}

/// The identifier in `{"ID": "…"}`.
fn id_of(body: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(body).ok()?;
    let id = value.get("ID")?.as_str()?;
    (id.len() == 36).then(|| id.to_owned())
}

/// Sends a request, and what somebody else does meanwhile.
async fn ask(address: SocketAddr, exchange: &Exchange, bound: &Bound) -> Reply {
    let mut path = bound.path(&exchange.path);
    if path.contains("CURRENT") {
        let list = send(
            address,
            "GET",
            "/v1/connect/intentions",
            &BTreeMap::new(),
            "",
        )
        .await;
        path = path.replace("CURRENT", &list.headers["X-Consul-Index"]);
    }
    let send_it = send(
        address,
        &exchange.method,
        &path,
        &exchange.headers,
        &exchange.body,
    );
    let Some(other) = &exchange.meanwhile else {
        return send_it.await;
    };
    let meanwhile = async {
        tokio::time::sleep(MEANWHILE).await;
        let path = bound.path(&other.path);
        send(address, &other.method, &path, &other.headers, &other.body).await
    };
    let (reply, other) = tokio::join!(send_it, meanwhile);
    assert_eq!(other.status, 200, "{}: {other:?}", exchange.name);
    assert!(reply.elapsed >= MEANWHILE, "{} did not wait", exchange.name);
    reply
}

async fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &BTreeMap<String, String>,
    body: &str,
) -> Reply {
    let request = WireRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        headers: headers.clone(),
        body: body.to_owned(),
    };
    request.send(address).await.unwrap()
}

/// What differs, by aspect.
fn differences(exchange: &Exchange, reply: &Reply) -> Differences {
    let mut found = Differences::default();
    let (theirs, ours) = (exchange.status.to_string(), reply.status.to_string());
    found.compare("status", &theirs, &ours);
    for name in COMPARED_HEADERS {
        if UNRECORDED.contains(name) {
            continue;
        }
        found.compare(
            name,
            &shown_header(name, exchange, &exchange.answer_headers),
            &shown_header(name, exchange, &reply.headers),
        );
    }
    if !exchange.answer_headers.contains_key("Content-Encoding") {
        let (theirs, ours) = (masked(&exchange.answer, &[]), masked(&reply.body, &[]));
        found.compare("body", &theirs, &ours);
    }
    // Writes do not wait, they only take their time.
    if exchange.is_question() {
        let waited = exchange.has_waited(reply);
        found.compare("waits", &exchange.waits.to_string(), &waited.to_string());
    }
    found
}

/// A header's value, or that there is some where it differs from run to run.
fn shown_header(name: &str, exchange: &Exchange, headers: &BTreeMap<String, String>) -> String {
    let Some(value) = headers.get(name) else {
        return "none".to_owned();
    };
    let is_volatile = match name {
        "X-Consul-Contenthash" => true,
        "X-Consul-Index" => exchange.status == 200,
        "Age" => exchange.name.starts_with("leaf."),
        _ => false,
    };
    if is_volatile { "some" } else { value }.to_owned()
}

/// How long after a request somebody else does something.
const MEANWHILE: Duration = Duration::from_millis(200);
