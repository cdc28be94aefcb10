//! moto 5.2.5, which plays AWS for tests: of it, AWS Private CA.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Process, ProcessError, eventually, free_port};
use crate::peers::PeerError;
use crate::peers::package::{Installer, Package};

const READY: Duration = Duration::from_secs(60);

/// The folder for `PYTHONPATH` with moto and what its server needs, fetched on the first call.
fn modules() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    let package = Package {
        peer: "moto 5.2.5",
        name: "moto-5.2.5",
        installer: Installer::Pip,
        packages: &[
            "moto==5.2.5",
            "botocore==1.44.8",
            "cryptography==50.0.2",
            "flask==3.1.3",
            "flask-cors==6.0.5",
        ],
    };
    let fetched = FETCHED.get_or_init(|| package.fetch());
    fetched.as_deref().map_err(PeerError::clone)
}

/// Why moto's server does not do what a scenario asks of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MotoError {
    /// It answered with an error.
    #[error("{operation}: {status} {body}")]
    Answer {
        /// What it was asked for.
        operation: String,
        /// The status it answered with.
        status: u16,
        /// The text it answered with.
        body: String,
    },
    /// A port cannot be had.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The package cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// Python cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] reqwest::Error),
}

/// moto's server with a memory of its own. Dropping it stops it.
#[derive(Debug)]
pub struct Moto {
    address: SocketAddr,
    client: reqwest::Client,
    process: Process,
}

impl Moto {
    /// The only secret key that a corrected server takes.
    pub const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

    /// Starts it as it is. It looks at no signature, and at little of what a certificate shall
    /// say.
    ///
    /// # Errors
    /// [`MotoError`] when it cannot be had or is not ready in time.
    pub async fn start() -> Result<Self, MotoError> {
        Self::start_with(|command, port| {
            command.args(["-m", "moto.server", "-H", "127.0.0.1", "-p"]);
            command.arg(port.to_string());
        })
        .await
    }

    /// Starts it with corrections (`moto_corrected.py`): it takes only what is signed with
    /// [`SECRET`](Self::SECRET), and its certificates say what they were asked to say.
    ///
    /// # Errors
    /// [`MotoError`] when it cannot be had or is not ready in time.
    pub async fn start_corrected() -> Result<Self, MotoError> {
        Self::start_with(|command, port| {
            let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/peers/moto_corrected.py");
            command.arg(script).arg(port.to_string()).arg(Self::SECRET);
        })
        .await
    }

    async fn start_with(how: impl FnOnce(&mut Command, u16)) -> Result<Self, MotoError> {
        let port = free_port()?;
        let mut command = Command::new("python3");
        command.env("PYTHONPATH", modules()?);
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        how(&mut command, port);
        let moto = Self {
            address: SocketAddr::from(([127, 0, 0, 1], port)),
            client: reqwest::Client::builder().no_proxy().build()?,
            process: Process::spawn("moto", command)?,
        };
        let ready = async || {
            moto.client
                .get(moto.url() + "/moto-api/data.json")
                .send()
                .await
        };
        eventually(READY, ready).await?;
        Ok(moto)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address as the option `endpoint` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it has printed: a line for each request.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.errors()
    }

    /// Asks AWS Private CA for something, as the harness, whose signature nobody asks for.
    ///
    /// # Errors
    /// [`MotoError`] for anything but success.
    pub async fn ask(&self, operation: &str, wish: &Value) -> Result<Value, MotoError> {
        let scope = "Credential=harness/20270101/eu-central-1/acm-pca/aws4_request";
        let answer = self
            .client
            .post(self.url())
            .header("X-Amz-Target", format!("ACMPrivateCA.{operation}"))
            .header("Content-Type", "application/x-amz-json-1.1")
            .header("Authorization", format!("AWS4-HMAC-SHA256 {scope}"))
            .body(wish.to_string())
            .send()
            .await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            return Err(MotoError::Answer {
                operation: operation.to_owned(),
                status: status.as_u16(),
                body,
            });
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    /// The CAs that it has.
    ///
    /// # Errors
    /// [`MotoError`] for anything but success.
    pub async fn arns(&self) -> Result<Vec<String>, MotoError> {
        let found = self.ask("ListCertificateAuthorities", &json!({})).await?;
        let listed = found["CertificateAuthorities"].as_array();
        let arns = listed.into_iter().flatten().map(|ca| text(ca, "Arn"));
        Ok(arns.collect())
    }

    /// In what state a CA is.
    ///
    /// # Errors
    /// [`MotoError`] for anything but success.
    pub async fn status(&self, arn: &str) -> Result<String, MotoError> {
        let wish = json!({ "CertificateAuthorityArn": arn });
        let found = self.ask("DescribeCertificateAuthority", &wish).await?;
        Ok(text(&found["CertificateAuthority"], "Status"))
    }

    /// Makes a root by the template that moto knows itself; its ARN.
    ///
    /// # Errors
    /// [`MotoError`] for anything but success.
    pub async fn plain_root(&self) -> Result<String, MotoError> {
        let wish = json!({
            "CertificateAuthorityType": "ROOT",
            "CertificateAuthorityConfiguration": {
                "KeyAlgorithm": "RSA_2048",
                "SigningAlgorithm": "SHA256WITHRSA",
                "Subject": { "CommonName": "a plain root" },
            },
        });
        let made = self.ask("CreateCertificateAuthority", &wish).await?;
        let arn = text(&made, "CertificateAuthorityArn");
        let wish = json!({ "CertificateAuthorityArn": arn });
        let asked = self.ask("GetCertificateAuthorityCsr", &wish).await?;
        let wish = json!({
            "CertificateAuthorityArn": arn,
            "Csr": STANDARD.encode(text(&asked, "Csr")),
            "SigningAlgorithm": "SHA256WITHRSA",
            "TemplateArn": "arn:aws:acm-pca:::template/RootCACertificate/V1",
            "Validity": { "Type": "DAYS", "Value": 365 },
        });
        let issued = self.ask("IssueCertificate", &wish).await?;
        let wish = json!({
            "CertificateAuthorityArn": arn,
            "CertificateArn": text(&issued, "CertificateArn"),
        });
        let signed = self.ask("GetCertificate", &wish).await?;
        let wish = json!({
            "CertificateAuthorityArn": arn,
            "Certificate": STANDARD.encode(text(&signed, "Certificate")),
        });
        self.ask("ImportCertificateAuthorityCertificate", &wish)
            .await?;
        Ok(arn)
    }
}

fn text(value: &Value, name: &str) -> String {
    let found = value.get(name).and_then(Value::as_str);
    found.unwrap_or_default().to_owned()
}
