//! An agent's API that answers by a table, and the commands run against it.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::IntoResponse;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::super::*;

/// What a command asked: method with path and query, token, body.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) token: Option<String>,
    pub(super) body: Value,
}

pub(super) type Answers = fn(&str) -> (u16, String);

#[derive(Clone)]
struct Recorder {
    answers: Answers,
    asked: Arc<Mutex<Vec<Asked>>>,
}

/// An agent's API that answers by a table and remembers what it was asked.
pub(super) struct Server {
    pub(super) address: String,
    recorder: Recorder,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(answers: Answers) -> Self {
        let recorder = Recorder {
            answers,
            asked: Arc::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("non-blocking");
        let address = listener.local_addr().expect("an address").to_string();
        let (stop, stopped) = oneshot::channel::<()>();
        let router = Router::new().fallback(answer).with_state(recorder.clone());
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                let stopped = async {
                    let _ = stopped.await;
                };
                axum::serve(listener, router)
                    .with_graceful_shutdown(stopped)
                    .await
                    .expect("served");
            });
        });
        Self {
            address,
            recorder,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    pub(super) fn run(&self, words: &[&str]) -> Ran {
        let address = self.address.clone();
        command(words, &move |name| {
            (name == "CONSUL_HTTP_ADDR").then(|| address.clone())
        })
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.recorder.asked.lock().expect("lock").clone()
    }

    pub(super) fn lines(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.line).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends");
        }
    }
}

async fn answer(
    State(recorder): State<Recorder>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> impl IntoResponse {
    let line = format!("{method} {uri}");
    let token = headers
        .get("x-consul-token")
        .map(|token| token.to_str().expect("text").to_owned());
    recorder.asked.lock().expect("lock").push(Asked {
        line: line.clone(),
        token,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    });
    let (status, text) = (recorder.answers)(&line);
    (StatusCode::from_u16(status).expect("a status"), text)
}

#[derive(Debug, PartialEq)]
pub(super) struct Ran {
    pub(super) code: u8,
    pub(super) out: String,
    pub(super) err: String,
}

pub(super) fn ran(code: u8, out: &str, err: &str) -> Ran {
    Ran {
        code,
        out: out.to_owned(),
        err: err.to_owned(),
    }
}

pub(super) fn command(words: &[&str], variable: &dyn Fn(&str) -> Option<String>) -> Ran {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let mut context = Context {
        out: &mut out,
        err: &mut err,
        variable,
    };
    let words = std::iter::once("chancery").chain(words.iter().copied());
    let code = run(words.map(OsString::from), &mut context);
    Ran {
        code,
        out: String::from_utf8(out).expect("UTF-8"),
        err: String::from_utf8(err).expect("UTF-8"),
    }
}

pub(super) fn alone(words: &[&str]) -> Ran {
    command(words, &|_| None)
}

pub(super) const ID: &str = "eb1c4a24-083e-3036-f6c3-7cf98ae4689e";

pub(super) fn row() -> Value {
    json!({
        "ID": ID, "Description": "d1", "SourceNS": "default", "SourceName": "web",
        "DestinationNS": "default", "DestinationName": "db", "SourceType": "consul",
        "Action": "deny", "DefaultAddr": "", "DefaultPort": 0, "Meta": {"k": "v"},
        "Precedence": 9, "CreatedAt": "2026-11-24T16:35:01.5Z",
        "UpdatedAt": "2026-11-24T16:35:01.5Z", "Hash": "", "CreateIndex": 5, "ModifyIndex": 5,
    })
}

pub(super) fn agent(line: &str) -> (u16, String) {
    let path = line.split('?').next().unwrap_or_default();
    match path {
        "GET /v1/connect/intentions" => (200, json!([row()]).to_string()),
        "POST /v1/connect/intentions" => (200, json!({ "ID": ID }).to_string()),
        "GET /v1/connect/intentions/match" if line.contains("name=none") => {
            (200, json!({"none": null}).to_string())
        }
        "GET /v1/connect/intentions/match" => (200, json!({"db": [row(), row()]}).to_string()),
        "GET /v1/connect/intentions/check" => (
            200,
            json!({"Allowed": line.contains("source=web")}).to_string(),
        ),
        "GET /v1/chancery/intentions/explain" => (
            200,
            json!({"allowed": false, "reason": "r", "text": "Denied\n  because\n"}).to_string(),
        ),
        _ if path.ends_with(ID) => (200, row().to_string()),
        _ if path.contains("/v1/connect/intentions/ffff") => {
            (404, "Intention not found".to_owned())
        }
        _ if path.starts_with("GET /v1/connect/intentions/") => {
            (400, "Bad request: failed intention lookup".to_owned())
        }
        _ if path.starts_with("PUT /v1/agent/service/") && !path.ends_with("bad") => {
            (200, String::new())
        }
        _ => (500, "it broke\n".to_owned()),
    }
}
