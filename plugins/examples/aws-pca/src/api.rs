//! The API of AWS Private CA, as far as it is used here.

use std::fmt;
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_plugin::http::Request;
use chancery_plugin::{Certificate, ConfigureError, Error, Options, clock};
use serde_json::{Value, json};

use crate::signature::{Signer, date};

/// How long to wait for what is being made, each time twice as long. All of it fits into the
/// five seconds that a call has, and two of them into the sixteen requests that it may send.
const PAUSES: [Duration; 6] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(200),
    Duration::from_millis(400),
    Duration::from_millis(800),
    Duration::from_millis(1600),
];

/// Where it is, and what opens it.
pub(crate) struct Api {
    endpoint: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

/// Not the credentials.
impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.endpoint)
    }
}

impl Api {
    pub(crate) fn new(options: &Options) -> Result<Self, ConfigureError> {
        let region: String = options.read("region")?;
        let endpoint: Option<String> = options.read("endpoint")?;
        let endpoint =
            endpoint.unwrap_or_else(|| format!("https://acm-pca.{region}.amazonaws.com"));
        let endpoint = endpoint.trim_end_matches('/');
        if host_of(endpoint).contains(['/', '?']) {
            let problem = "must be a scheme and a host without a path";
            return Err(ConfigureError::option("endpoint", problem));
        }
        Ok(Self {
            endpoint: endpoint.to_owned(),
            region,
            access_key_id: options.read("access_key_id")?,
            secret_access_key: options.read("secret_access_key")?,
            session_token: options.read("session_token")?,
        })
    }

    /// Has `csr` (PEM) signed, and fetches the certificate.
    pub(crate) fn issue(
        &self,
        arn: &str,
        csr: &str,
        mut wish: Value,
    ) -> Result<Certificate, Error> {
        if let Some(wish) = wish.as_object_mut() {
            wish.insert("CertificateAuthorityArn".to_owned(), json!(arn));
            wish.insert("Csr".to_owned(), json!(STANDARD.encode(csr)));
        }
        let issued = self.call("IssueCertificate", &wish)?;
        let certificate = text(&issued, "CertificateArn")?;
        let wish = json!({ "CertificateAuthorityArn": arn, "CertificateArn": certificate });
        first(&self.ready("GetCertificate", &wish)?)
    }

    /// As [`call`](Self::call), but waits a little for what is being made.
    pub(crate) fn ready(&self, operation: &str, wish: &Value) -> Result<Value, Error> {
        for pause in PAUSES {
            thread::sleep(pause);
            match self.answer(operation, wish)? {
                Answer::Done(answer) => return Ok(answer),
                Answer::Failed(failure) if failure.kind == "RequestInProgressException" => {}
                Answer::Failed(failure) => return Err(failure.into()),
            }
        }
        let error = Error::unavailable(format!("{operation}: it is not ready yet"));
        Err(error.retry_after(Duration::from_secs(2)))
    }

    pub(crate) fn call(&self, operation: &str, wish: &Value) -> Result<Value, Error> {
        match self.answer(operation, wish)? {
            Answer::Done(answer) => Ok(answer),
            Answer::Failed(failure) => Err(failure.into()),
        }
    }

    fn answer(&self, operation: &str, wish: &Value) -> Result<Answer, Error> {
        let body = wish.to_string();
        let date = date(clock::now());
        let host = host_of(&self.endpoint);
        let target = format!("ACMPrivateCA.{operation}");
        let mut headers = vec![
            ("content-type", "application/x-amz-json-1.1"),
            ("host", host),
            ("x-amz-date", date.as_str()),
        ];
        if let Some(token) = &self.session_token {
            headers.push(("x-amz-security-token", token));
        }
        headers.push(("x-amz-target", &target));
        let signer = Signer {
            access_key_id: &self.access_key_id,
            secret_access_key: &self.secret_access_key,
            region: &self.region,
            service: "acm-pca",
        };
        let authorization = signer.authorize(&date, &headers, body.as_bytes());
        let mut request = Request::post(format!("{}/", self.endpoint));
        // The host itself says whom it asks.
        for (name, value) in headers.into_iter().filter(|(name, _)| *name != "host") {
            request = request.header(name, value);
        }
        let answer = request
            .header("authorization", authorization)
            .body(body)
            .send();
        let answer = answer.map_err(|error| Error::from(error).about(operation))?;
        let status = answer.status();
        let body: Result<Value, _> = match answer.body() {
            [] => Ok(Value::Null),
            body => serde_json::from_slice(body),
        };
        if status == 200 {
            let no_json =
                |error| Error::broken(format!("{operation}: the answer is no JSON: {error}"));
            return body.map(Answer::Done).map_err(no_json);
        }
        let body = body.unwrap_or_default();
        let word = |name| body.get(name).and_then(Value::as_str).unwrap_or_default();
        let kind = word("__type");
        Ok(Answer::Failed(Failure {
            operation: operation.to_owned(),
            status,
            kind: kind.rsplit('#').next().unwrap_or(kind).to_owned(),
            message: format!("{}{}", word("message"), word("Message")),
        }))
    }
}

enum Answer {
    Done(Value),
    Failed(Failure),
}

struct Failure {
    operation: String,
    status: u16,
    kind: String,
    message: String,
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let Failure {
            operation,
            status,
            kind,
            message,
        } = failure;
        let text = format!("{operation}: AWS answered {status} {kind}: {message}");
        match kind.as_str() {
            "ThrottlingException" | "LimitExceededException" => Self::rate_limited(text),
            "ResourceNotFoundException" | "InvalidArnException" => Self::misconfigured(text),
            "RequestInProgressException" => Self::unavailable(text),
            "AccessDeniedException"
            | "ExpiredTokenException"
            | "IncompleteSignatureException"
            | "InvalidClientTokenId"
            | "InvalidSignatureException"
            | "MissingAuthenticationTokenException"
            | "UnrecognizedClientException" => Self::unauthorised(text),
            _ if status >= 500 => Self::unavailable(text),
            _ => Self::refused(text),
        }
    }
}

/// What stands behind the scheme.
fn host_of(endpoint: &str) -> &str {
    endpoint.split_once("://").map_or("", |(_, host)| host)
}

/// A text in an answer.
pub(crate) fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, Error> {
    let found = answer.get(name).and_then(Value::as_str);
    found.ok_or_else(|| Error::broken(format!("the answer has no {name}")))
}

/// The certificate in an answer.
pub(crate) fn first(answer: &Value) -> Result<Certificate, Error> {
    Certificate::from_pem(text(answer, "Certificate")?)?
        .into_iter()
        .next()
        .ok_or_else(|| Error::broken("the answer holds no certificate"))
}
