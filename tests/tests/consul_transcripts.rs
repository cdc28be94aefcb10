//! What a real Consul 1.8.7 answered, request by request, is asked of our agent.
//!
//! Each file under `data/consul` is played against a fresh agent in dev mode. Status, headers and
//! bodies must be the same to the byte, once what differs from run to run (identifiers, times,
//! indexes, keys, hashes) is masked. Where we differ on purpose, `ledger.txt` says why; a line of
//! it that no longer applies fails as well.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use chancery_tests::{Process, chancery_binary, eventually, free_port};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

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

#[derive(Debug)]
struct Reply {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
    elapsed: Duration,
}

/// A header that only one side has, or whose values differ, unless they are bound to.
const COMPARED: &[&str] = &[
    "Content-Type",
    "Allow",
    "Location",
    "Vary",
    "Content-Encoding",
    "X-Cache",
    "Age",
    "X-Consul-Index",
    "X-Consul-Knownleader",
    "X-Consul-Lastcontact",
    "X-Consul-Effective-Consistency",
    "X-Consul-Contenthash",
];

/// Fields whose values differ from run to run.
const VOLATILE: &[&str] = &[
    "CertPEM",
    "ContentHash",
    "CreateIndex",
    "CreatedAt",
    "Hash",
    "ModifyIndex",
    "NotAfter",
    "NotBefore",
    "Output",
    "PrivateKeyPEM",
    "RootCert",
    "SerialNumber",
    "ServiceURI",
    "SigningKeyID",
    "UpdatedAt",
    "ValidAfter",
    "ValidBefore",
];

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
    let ledger = ledger(file);
    let mut bound = Bound::default();
    let mut report = String::new();
    let mut seen = BTreeSet::new();
    for line in text.lines() {
        let exchange: Exchange = serde_json::from_str(line).unwrap();
        let reply = ask(address, &exchange, &bound).await;
        if exchange.setup {
            assert_eq!(reply.status, 200, "{exchange:?}: {reply:?}");
        } else {
            let found = differences(&exchange, &reply);
            let entry = ledger.iter().find(|entry| entry.name == exchange.name);
            if let Some(entry) = entry {
                seen.insert(entry.name);
            }
            let meant = entry.map_or_else(BTreeSet::new, |entry| entry.aspects.clone());
            let aspects = found.keys().copied().collect::<BTreeSet<_>>();
            if aspects != meant {
                write!(report, "\n== {}: meant {meant:?}", exchange.name).unwrap();
                for (aspect, difference) in found {
                    write!(report, "\n{aspect}{difference}").unwrap();
                }
            }
        }
        bound.learn(&exchange, &reply);
    }
    for entry in ledger.iter().filter(|entry| !seen.contains(entry.name)) {
        write!(
            report,
            "\n== {} is in the ledger and in no transcript",
            entry.name
        )
        .unwrap();
    }
    assert!(report.is_empty(), "{file}:{report}");
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

/// Something that we mean to answer otherwise than Consul.
struct Entry {
    name: &'static str,
    /// What differs: the status, the body, whether it waits, or a header.
    aspects: BTreeSet<&'static str>,
}

/// The ledger of one file. A section `[file]` has lines `name, name | aspect, aspect: reason`.
fn ledger(file: &str) -> Vec<Entry> {
    let mut own = false;
    let mut entries = Vec::new();
    for line in include_str!("data/consul/ledger.txt").lines() {
        if let Some(section) = line
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
        {
            own = section == file;
        } else if own && !line.is_empty() {
            let (what, reason) = line.split_once(": ").expect(line);
            let (names, aspects) = what.split_once(" | ").expect(line);
            assert!(!reason.is_empty(), "{line}");
            entries.extend(names.split(", ").map(|name| Entry {
                name,
                aspects: aspects.split(", ").collect(),
            }));
        }
    }
    entries
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
    let mut request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n");
    for (name, value) in headers {
        write!(request, "{name}: {value}\r\n").unwrap();
    }
    if !body.is_empty() || method == "PUT" || method == "POST" {
        write!(request, "Content-Length: {}\r\n", body.len()).unwrap();
    }
    write!(request, "\r\n{body}").unwrap();
    let begin = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
        .await
        .unwrap_or_else(|_| panic!("{method} {path}: no answer within 10 s"))
        .unwrap();
    let elapsed = begin.elapsed();
    let split = answer
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .unwrap();
    let head = String::from_utf8(answer[..split].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    Reply {
        status,
        headers,
        body: String::from_utf8_lossy(&answer[split + 4..]).into_owned(),
        elapsed,
    }
}

/// What differs, by aspect.
fn differences(exchange: &Exchange, reply: &Reply) -> BTreeMap<&'static str, String> {
    let mut found = BTreeMap::new();
    let mut compare = |aspect: &'static str, theirs: &str, ours: &str| {
        if theirs != ours {
            found.insert(
                aspect,
                format!("\n  consul:   {theirs}\n  chancery: {ours}"),
            );
        }
    };
    compare(
        "status",
        &exchange.status.to_string(),
        &reply.status.to_string(),
    );
    for name in COMPARED {
        compare(
            name,
            &shown_header(name, exchange, &exchange.answer_headers),
            &shown_header(name, exchange, &reply.headers),
        );
    }
    if !exchange.answer_headers.contains_key("Content-Encoding") {
        compare("body", &masked(&exchange.answer), &masked(&reply.body));
    }
    let waited = reply.elapsed >= Duration::from_millis(900);
    compare("waits", &exchange.waits.to_string(), &waited.to_string());
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

/// The text without what differs from run to run. Bodies are indented, one field a line.
fn masked(text: &str) -> String {
    let mut in_certificate = false;
    let mut lines = Vec::new();
    for line in text.split('\n') {
        if line.starts_with("-----") {
            in_certificate = line.starts_with("-----BEGIN");
            lines.push(line.to_owned());
        } else if !in_certificate {
            lines.push(masked_identifiers(&masked_field(line)));
        }
    }
    lines.join("\n")
}

/// `"Key": *,` for a field whose value says nothing here.
fn masked_field(line: &str) -> String {
    let field = line
        .trim_start()
        .strip_prefix('"')
        .and_then(|rest| rest.split_once("\": "));
    let Some((key, value)) = field else {
        return line.to_owned();
    };
    if VOLATILE.contains(&key) && !value.starts_with(['{', '[']) {
        let (before, _) = line.split_at(line.len() - value.len());
        let comma = if value.ends_with(',') { "," } else { "" };
        return format!("{before}*{comma}");
    }
    line.to_owned()
}

/// Identifiers of 36 characters, and key identifiers in hex with colons, become `*`.
fn masked_identifiers(line: &str) -> String {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-' || byte == b':';
    let bytes = line.as_bytes();
    let mut shown = String::new();
    let mut start = 0;
    while start < bytes.len() {
        let length = bytes[start..]
            .iter()
            .take_while(|byte| is_part(**byte))
            .count();
        let token = &line[start..start + length];
        let dashes = token.bytes().filter(|byte| *byte == b'-').count();
        let colons = token.bytes().filter(|byte| *byte == b':').count();
        if (length == 36 && dashes == 4) || colons >= 10 {
            shown.push('*');
        } else if length > 0 {
            shown.push_str(token);
        } else {
            let character = line[start..].chars().next().unwrap();
            shown.push(character);
            start += character.len_utf8();
        }
        start += length;
    }
    shown
}
