//! OpenBao's HTTP API, as far as it is used here.

use std::fmt;
use std::time::Duration;

use chancery_plugin::http::{Method, Request};
use chancery_plugin::{Certificate, ConfigureError, Error, Options};
use serde_json::Value;

/// Where OpenBao is, and what opens it.
pub(crate) struct Api {
    address: String,
    token: String,
    namespace: Option<String>,
    mount: String,
}

/// Not the token.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/v1/{}", self.address, self.mount)
    }
}

impl Api {
    pub(crate) fn new(options: &Options) -> Result<Self, ConfigureError> {
        let (address, mount): (String, String) = (options.read("address")?, options.read("mount")?);
        Ok(Self {
            address: address.trim_end_matches('/').to_owned(),
            token: options.read("token")?,
            namespace: options.read("namespace")?,
            mount: mount.trim_matches('/').to_owned(),
        })
    }

    /// A path below the mount.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("{}/{path}", self.mount)
    }

    /// The issuer of that name or id, if there is one.
    pub(crate) fn issuer(&self, name: &str) -> Result<Option<Value>, Error> {
        let path = self.path(&format!("issuer/{name}"));
        match self.send(&self.request(Method::Get, &path, None), &path)? {
            Answer::Data(data) => Ok(Some(data)),
            Answer::Failed(400 | 404 | 500, errors) if none_such(&errors) => Ok(None),
            Answer::Failed(status, errors) => Err(failed(&path, status, &errors)),
        }
    }

    pub(crate) fn read(&self, path: &str) -> Result<Value, Error> {
        self.done(self.request(Method::Get, path, None), path)
    }

    pub(crate) fn write(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.done(self.request(Method::Post, path, Some(body)), path)
    }

    /// Gone already is as good.
    pub(crate) fn delete(&self, path: &str) -> Result<(), Error> {
        match self.send(&self.request(Method::Delete, path, None), path)? {
            Answer::Data(_) | Answer::Failed(404, _) => Ok(()),
            Answer::Failed(_, errors) if none_such(&errors) => Ok(()),
            Answer::Failed(status, errors) => Err(failed(path, status, &errors)),
        }
    }

    /// As [`write`](Self::write), for what takes the server its time, such as a new key.
    pub(crate) fn write_slowly(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.done(
            self.request(Method::Post, path, Some(body)).timeout(SLOW),
            path,
        )
    }

    fn done(&self, request: Request, path: &str) -> Result<Value, Error> {
        match self.send(&request, path)? {
            Answer::Data(data) => Ok(data),
            Answer::Failed(status, errors) => Err(failed(path, status, &errors)),
        }
    }

    fn request(&self, method: Method, path: &str, body: Option<&Value>) -> Request {
        let url = format!("{}/v1/{path}", self.address);
        let mut request = Request::new(method, url).header("x-vault-token", &self.token);
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        match body {
            None => request,
            Some(body) => request
                .header("content-type", "application/json")
                .body(body.to_string()),
        }
    }

    fn send(&self, request: &Request, path: &str) -> Result<Answer, Error> {
        let answer = request.send();
        let answer = answer.map_err(|error| Error::from(error).about(path))?;
        let status = answer.status();
        if status == 429 {
            let error = Error::rate_limited(format!("{path}: OpenBao has too much to do"));
            return Err(match answer.retry_after() {
                Some(wait) => error.retry_after(wait),
                None => error,
            });
        }
        let body: Result<Value, _> = match answer.body() {
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body),
        };
        if (200..300).contains(&status) {
            let body = body.map_err(|error| {
                Error::broken(format!("{path}: the answer is no JSON: {error}"))
            })?;
            return Ok(Answer::Data(body.get("data").cloned().unwrap_or_default()));
        }
        // Who answers with an error may be a proxy that speaks no JSON: the status says enough.
        let errors = body.unwrap_or_default();
        let errors = errors.get("errors").and_then(Value::as_array);
        let errors: Vec<_> = errors
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        Ok(Answer::Failed(status, errors.join("; ")))
    }
}

/// What OpenBao answered.
enum Answer {
    Data(Value),
    /// A status that is none of success, and the errors.
    Failed(u16, String),
}

/// What OpenBao says, with various codes, where no issuer or key has that name.
fn none_such(errors: &str) -> bool {
    errors.contains("unable to find") || errors.contains("no default issuer")
}

fn failed(path: &str, status: u16, errors: &str) -> Error {
    // It writes lists over several lines.
    let errors: Vec<_> = errors.split_whitespace().collect();
    let mut message = format!("{path}: OpenBao answered {status}");
    for (place, word) in errors.iter().enumerate() {
        message.push_str(if place == 0 { ": " } else { " " });
        message.push_str(word);
    }
    match status {
        400 | 405 | 409 | 422 => Error::refused(message),
        401 | 403 => Error::unauthorised(message),
        404 => Error::misconfigured(message),
        300..400 => Error::broken(message),
        _ => Error::unavailable(message),
    }
}

/// The certificate in what `path` answered.
pub(crate) fn certificate(path: &str, answer: &Value) -> Result<Certificate, Error> {
    let text = answer["certificate"].as_str().unwrap_or_default();
    Certificate::from_pem(text)
        .and_then(|found| {
            let none = || Error::broken("the answer holds no certificate");
            found.into_iter().next().ok_or_else(none)
        })
        .map_err(|error| error.about(path))
}

/// A new RSA key can take seconds.
const SLOW: Duration = Duration::from_secs(8);
