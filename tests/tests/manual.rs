//! The operator's pages tell the truth: their commands run, their tables agree with the program.
#![expect(
    clippy::unwrap_used,
    reason = "a helper of a scenario fails as its tests do"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use chancery::http::endpoints;
use chancery::proxy::Limits;
use chancery_tests::{Agent, AgentKind, App, Page, Terminal, eventually};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SOON: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn the_walk_of_the_proxy_page_ends_with_a_cut() {
    let page = Page::read("host/docs/proxy.md").unwrap();
    let app = App::echo().await.unwrap();
    let mut terminal = Terminal::new().unwrap();
    terminal.replace("5432", &app.address().port().to_string());
    terminal.replace_port(21000).unwrap();
    let upstream = terminal.replace_port(9191).unwrap();
    let registration = terminal.filled(&page.blocks("hcl")[0]);
    std::fs::write(terminal.folder().join("db.hcl"), registration).unwrap();

    let mut open = None;
    for command in page.commands() {
        if command.starts_with("chancery intention create -deny") {
            open = Some(
                eventually(SOON, async || greet(upstream).await)
                    .await
                    .unwrap(),
            );
        }
        let ran = terminal.run(&command).await.unwrap();
        assert_eq!(ran.code, 0, "{command}: {}", ran.output);
    }

    let mut rest = Vec::new();
    let mut open = open.unwrap();
    let ended = tokio::time::timeout(SOON, open.read_to_end(&mut rest));
    let ended = ended.await.expect("the open connection is cut");
    assert!(ended.is_err() && rest.is_empty(), "{ended:?} {rest:?}");
    assert!(greet(upstream).await.is_err(), "and no new one is let in");

    let db = &terminal.running()[1];
    for line in page.blocks("text")[0].lines() {
        let part = line.split("TRUST-DOMAIN").next().unwrap();
        db.wait_printed(part, SOON).await.unwrap();
    }
    assert_eq!(terminal.end().await.unwrap(), [Some(0); 3]);
}

async fn greet(port: u16) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"hello").await?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).await?;
    Ok(stream)
}

#[test]
fn the_limits_of_a_proxy_are_those_of_the_page() {
    let limits = Limits::default();
    let milliseconds = |span: Duration| span.as_millis().to_string();
    let expected = [
        (
            "agent_silence",
            "max_agent_silence_ms",
            milliseconds(limits.agent_silence),
        ),
        (
            "connect_attempts",
            "max_connect_attempts",
            limits.connect_attempts.to_string(),
        ),
        (
            "connections",
            "max_inbound_connections",
            limits.connections.to_string(),
        ),
        (
            "connections_per_source",
            "max_connections_per_source",
            limits.connections_per_source.to_string(),
        ),
        (
            "handshake_timeout",
            "handshake_timeout_ms",
            milliseconds(limits.handshake_timeout),
        ),
        (
            "handshakes",
            "max_handshakes",
            limits.handshakes.to_string(),
        ),
        (
            "handshakes_per_source",
            "max_handshakes_per_source",
            limits.handshakes_per_source.to_string(),
        ),
        (
            "idle_timeout",
            "idle_timeout_ms",
            milliseconds(limits.idle_timeout.unwrap()),
        ),
        (
            "local_connect_timeout",
            "local_connect_timeout_ms",
            milliseconds(limits.local_connect_timeout),
        ),
    ];
    let page = Page::read("host/docs/proxy.md").unwrap();
    let shown: BTreeMap<String, String> = page
        .rows()
        .into_iter()
        .filter(|row| row.len() == 3)
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    for (_, key, default) in &expected {
        assert_eq!(shown.get(*key), Some(default), "{key}");
    }
    assert_eq!(limits.handshake_bytes, 64 * 1024);
    assert!(page.text().contains("within its time and 64 KiB"));

    // A field that came later is missed here, and then above.
    let debug = format!("{limits:?}");
    let fields: BTreeSet<&str> = debug
        .split([' ', ','])
        .filter_map(|word| word.strip_suffix(':'))
        .collect();
    let known = expected.iter().map(|(field, ..)| *field);
    assert_eq!(fields, known.chain(["handshake_bytes"]).collect());
}

#[test]
fn the_limits_of_an_agent_are_those_of_the_pages() {
    let limits = chancery::config::Limits::default();
    let seconds = |span: Duration| format!("{}s", span.as_secs());
    let page = Page::read("host/docs/configuration.md").unwrap();
    let rows: BTreeMap<String, String> = page
        .rows()
        .into_iter()
        .filter(|row| row.len() == 3)
        .map(|row| (row[0].clone(), row[1].clone()))
        .collect();
    let both = format!(
        "{}, {}",
        seconds(limits.default_query_time),
        seconds(limits.max_query_time)
    );
    for (key, default) in [
        ("default_query_time, max_query_time", both),
        (
            "limits.http_header_timeout",
            seconds(limits.http_header_timeout),
        ),
        (
            "limits.http_max_blocked_queries",
            limits.http_max_blocked_queries.to_string(),
        ),
        (
            "limits.http_max_body_bytes",
            limits.http_max_body_bytes.to_string(),
        ),
        (
            "limits.http_max_connections",
            limits.http_max_connections.to_string(),
        ),
        (
            "limits.http_max_conns_per_client",
            limits.http_max_conns_per_client.to_string(),
        ),
        (
            "limits.http_max_header_bytes",
            limits.http_max_header_bytes.to_string(),
        ),
    ] {
        let shown = rows.get(key).map(|cell| cell.trim_end_matches(" s"));
        assert_eq!(shown, Some(&*default), "{key}");
    }

    let thousands = |count: u32| format!("{},{:03}", count / 1000, count % 1000);
    let bounds = Page::read("host/docs/http-api.md").unwrap();
    for shown in [
        format!(
            "connections, of one client and of all | {}, {} |",
            limits.http_max_conns_per_client,
            thousands(limits.http_max_connections)
        ),
        format!(
            "blocking queries, of one client and of all | {}, {} |",
            limits.http_max_conns_per_client,
            thousands(limits.http_max_blocked_queries)
        ),
        format!("slowest rate | {} KiB,", limits.http_max_body_bytes / 1024),
    ] {
        assert!(bounds.text().contains(&shown), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_data_directory_is_the_same_agent_elsewhere() {
    let page = Page::read("host/docs/operations.md").unwrap();
    let mut terminal = Terminal::new().unwrap();
    let (state, copy) = (
        terminal.folder().join("state"),
        terminal.folder().join("copy"),
    );
    terminal.replace("/var/lib/chancery", &state.display().to_string());
    terminal.replace("/mnt/backup/chancery", &copy.display().to_string());
    let sample = terminal.filled(&page.blocks("hcl")[0]);
    let file = terminal.folder().join("agent.hcl");
    std::fs::write(&file, &sample).unwrap();
    let (_, commands) = ca_commands(&page);
    let [start, save] = commands.try_into().unwrap();

    terminal.run(&start).await.unwrap();
    let ran = terminal
        .run("chancery intention create -deny web db")
        .await
        .unwrap();
    assert_eq!(ran.code, 0, "{}", ran.output);
    let ran = terminal
        .run("chancery services register -name db -port 5432")
        .await
        .unwrap();
    assert_eq!(ran.code, 0, "{}", ran.output);
    let doctor = "chancery doctor -within 24h";
    let ran = terminal.run(doctor).await.unwrap();
    // A test's disk may have little room, which is a warning.
    assert!(ran.code < 2, "{}", ran.output);
    for subject in ["active root", "disk", "first handshake fails"] {
        assert!(ran.output.contains(subject), "{}", ran.output);
        assert!(page.text().contains(subject), "{subject}");
    }
    let before = (get(&terminal, ROOTS).await, get(&terminal, SERVICES).await);
    assert!(before.1.get("db").is_some(), "{}", before.1);
    assert_eq!(terminal.end().await.unwrap(), [Some(0)]);
    assert_eq!(terminal.run(&save).await.unwrap().code, 0);
    for name in ["", "chancery.redb", "seal.key", "agent.lock"] {
        let mode = std::fs::metadata(copy.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, if name.is_empty() { 0o700 } else { 0o600 }, "{name}");
    }

    let elsewhere = sample.replace(&*state.to_string_lossy(), &copy.to_string_lossy());
    std::fs::write(&file, elsewhere).unwrap();
    terminal.run(&start).await.unwrap();
    let after = (get(&terminal, ROOTS).await, get(&terminal, SERVICES).await);
    assert_eq!(after, before);
    let ran = terminal
        .run("chancery intention check web db")
        .await
        .unwrap();
    assert_eq!((ran.code, ran.output.trim()), (1, "Denied"));
    // `command` keeps the terminal from waiting until it answers.
    let refusing = "command chancery agent -config-file agent.hcl -http-port -1";
    let second = terminal.run(refusing).await.unwrap();
    assert_refused(&second, &page, "is in use by another agent");
    terminal.end().await.unwrap();

    std::fs::rename(copy.join("seal.key"), copy.join("kept")).unwrap();
    let refused = terminal.run(refusing).await.unwrap();
    assert_refused(&refused, &page, "is missing");
    assert!(!copy.join("seal.key").exists(), "no new key is made");
    std::fs::rename(copy.join("kept"), copy.join("seal.key")).unwrap();

    std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o750)).unwrap();
    assert_refused(&terminal.run(refusing).await.unwrap(), &page, "chmod 700");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ca_is_changed_as_the_page_says() {
    let page = Page::read("host/docs/operations.md").unwrap();
    let mut terminal = Terminal::new().unwrap();
    let state = terminal.folder().join("state");
    terminal.replace("/var/lib/chancery", &state.display().to_string());
    let sample = terminal.filled(&page.blocks("hcl")[0]);
    std::fs::write(terminal.folder().join("agent.hcl"), sample).unwrap();
    let wanted = &page.blocks("json")[0];
    std::fs::write(terminal.folder().join("ca.json"), wanted).unwrap();
    let (changes, others) = ca_commands(&page);
    terminal.run(&others[0]).await.unwrap();
    let mut said = String::new();
    for command in &changes {
        let ran = terminal.run(command).await.unwrap();
        assert_eq!(ran.code, 0, "{command}: {}", ran.output);
        said += &ran.output;
    }
    for part in [
        "State:         serving",
        "\t\"Provider\": \"consul\"",
        "Configuration updated!",
        "New root:      yes",
        "At risk:       nothing",
        "CA rotated! Epoch",
        "compromised key",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let ran = terminal.run("chancery connect ca status").await.unwrap();
    let retired = ran.output.matches("  retired  ").count();
    // The new curve, the rotation and the drill.
    assert_eq!(retired, 3, "{}", ran.output);
    assert!(ran.output.contains("ec 384"), "{}", ran.output);
    let ran = terminal.run("chancery connect ca abandon").await.unwrap();
    assert_eq!(ran.code, 1, "{}", ran.output);
    terminal.end().await.unwrap();
}

/// The commands of a page that are about the CA, and the others.
fn ca_commands(page: &Page) -> (Vec<String>, Vec<String>) {
    let commands = page.commands().into_iter();
    commands.partition(|command| command.starts_with("chancery connect ca "))
}

const ROOTS: &str = "/v1/connect/ca/roots";
const SERVICES: &str = "/v1/agent/services";

async fn get(terminal: &Terminal, path: &str) -> Value {
    let answer = reqwest::get(terminal.url(path)).await.unwrap();
    answer.json().await.unwrap()
}

/// An agent that does not start ends with 1 and one line, which the page knows.
fn assert_refused(ran: &chancery_tests::Ran, page: &Page, text: &str) {
    assert_eq!(ran.code, 1, "{}", ran.output);
    assert!(ran.output.contains(text), "{}", ran.output);
    assert!(page.text().contains(text), "{text}");
    let said = ran.output.lines().filter(|line| line.starts_with("==> "));
    assert_eq!(
        said.count(),
        2,
        "the greeting and the reason: {}",
        ran.output
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_that_wait_are_those_of_the_page() {
    let page = Page::read("host/docs/http-api.md").unwrap();
    let waiting: BTreeSet<String> = page
        .rows()
        .into_iter()
        .filter(|row| row.len() == 2 && ["server", "agent", "hash"].contains(&&*row[0]))
        .flat_map(|row| row[1].split(", ").map(str::to_owned).collect::<Vec<_>>())
        .map(|path| format!("/v1/{}", path.split(':').next().unwrap_or_default()))
        .collect();
    let agent = Agent::start(AgentKind::Chancery).await.unwrap();
    agent
        .register(&json!({"Name": "web", "Port": 1, "Connect": {"Native": true}}))
        .await
        .unwrap();
    let id = agent.intend("web", "db", "deny").await.unwrap();

    let probes = endpoints()
        .filter(|endpoint| endpoint.method.as_str() == "GET")
        // There is nothing to see until somebody outside must sign.
        .filter(|endpoint| endpoint.path != "/v1/chancery/ca/csr")
        .map(|endpoint| {
            let what = match endpoint.path {
                "/v1/connect/intentions/" => id.as_str(),
                "/v1/connect/intentions/match" => "?by=destination&name=db",
                path if path.ends_with('/') => "web",
                path if path.starts_with("/v1/connect/intentions/") => "?source=web&destination=db",
                "/v1/chancery/intentions/explain" => "?source=web&destination=db",
                _ => "",
            };
            let url = format!("http://{}{}{what}", agent.http(), endpoint.path);
            async move { (endpoint.path.to_owned(), waits(&url).await) }
        });
    let mut tasks = tokio::task::JoinSet::new();
    for probe in probes {
        tasks.spawn(probe);
    }
    let found: BTreeSet<String> = tasks
        .join_all()
        .await
        .into_iter()
        .filter_map(|(path, waits)| waits.then_some(path))
        .collect();
    assert_eq!(found, waiting);
}

/// Whether a query that is asked to wait three seconds for something new does so.
async fn waits(url: &str) -> bool {
    const WAIT: Duration = Duration::from_secs(3);
    let join = if url.contains('?') { '&' } else { '?' };
    let mut seen = String::new();
    // A leaf is made on the first request, and the catalog may still be hearing of the service.
    for _ in 0..2 {
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200, "{url}");
        let header = |name: &str| {
            let value = answer.headers().get(name)?;
            Some(value.to_str().unwrap().to_owned())
        };
        let index = header("x-consul-index").unwrap_or_else(|| "1000000".to_owned());
        let hash = header("x-consul-contenthash").unwrap_or_default();
        seen = format!("index={index}&hash={hash}&wait={}s", WAIT.as_secs());
    }
    let asked = Instant::now();
    let answer = reqwest::get(format!("{url}{join}{seen}")).await.unwrap();
    assert_eq!(answer.status(), 200, "{url}");
    asked.elapsed() >= WAIT
}
