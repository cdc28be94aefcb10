//! How Chancery gets a token: each method is a way to make the parameters of one login call.

mod file;
mod params;

use chancery_core::Secret;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use self::file::read_secret;
use self::params::Params;
use super::endpoints::Login;
use super::options::{find, secret_text};
use super::token::Token;
use crate::ProviderError;
use crate::options::{OptionMap, SecretOptions};

/// The configured method, its parameters checked.
#[derive(Clone, Debug)]
pub(super) enum Method {
    /// The option `Token`.
    Token(Token),
    /// A file that holds the token and may hold another one later.
    TokenFile { path: String },
    /// A login that gives a token for some time.
    Login { mount: String, login: Kind },
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    AppRole {
        role_id: Source,
        secret_id: Option<Source>,
    },
    Certificate {
        name: Option<String>,
    },
    /// Kubernetes and JWT differ in nothing but where the file lies.
    Jwt {
        role: String,
        file: String,
    },
    UserPass {
        username: String,
        password: Secret,
    },
}

/// A value that was given, or a file that is read anew for each login.
#[derive(Clone, Debug)]
pub(super) enum Source {
    File(String),
    Given(Secret),
}

impl Method {
    /// Reads `Token` and the `AuthMethod` block; Consul's texts where Consul has them.
    pub(super) fn parse(
        block: Option<&OptionMap>,
        secrets: &SecretOptions,
    ) -> Result<Self, ProviderError> {
        let token = secret_text(secrets, "Token");
        match (token, block) {
            (Some(_), Some(_)) => Err(ProviderError::misconfigured(
                "only one of Vault token or Vault auth method can be provided, but not both",
            )),
            (Some(token), None) => Token::new(&token).map(Self::Token),
            (None, None) => Err(ProviderError::misconfigured("must provide a Vault token")),
            (None, Some(block)) => Self::of_block(block, secrets),
        }
    }

    fn of_block(block: &OptionMap, secrets: &SecretOptions) -> Result<Self, ProviderError> {
        let text = |name| {
            find(block, name)
                .and_then(Value::as_str)
                .unwrap_or_default()
        };
        let kind = text("Type");
        let params = Params::read(secrets, kind)?;
        let login = match kind {
            "approle" => Kind::AppRole {
                role_id: params.source("role_id", "role_id_file_path")?,
                secret_id: params.source("secret_id", "secret_id_file_path").ok(),
            },
            "cert" => Kind::Certificate {
                name: params.optional("name"),
            },
            "jwt" => Kind::Jwt {
                role: params.needed("role")?,
                file: params.needed("path")?,
            },
            "kubernetes" => Kind::Jwt {
                role: params.needed("role")?,
                file: params
                    .optional("token_path")
                    .unwrap_or_else(|| SERVICE_ACCOUNT.to_owned()),
            },
            "token_file" => {
                let path = params.needed("token_file_path")?;
                return Ok(Self::TokenFile { path });
            }
            "userpass" => Kind::UserPass {
                username: params.needed("username")?,
                password: Secret::new(params.needed("password")?.into_bytes()),
            },
            other => {
                return Err(ProviderError::misconfigured(format!(
                    "auth method {other:?} is not supported, use one of approle, cert, jwt, \
                     kubernetes, token_file, userpass"
                )));
            }
        };
        let mount = Some(text("MountPath").trim_matches('/')).filter(|path| !path.is_empty());
        let mount = mount.unwrap_or(kind).to_owned();
        Ok(Self::Login { mount, login })
    }

    /// Whether a new token can be had when the old one ends.
    pub(super) const fn is_renewable(&self) -> bool {
        !matches!(self, Self::Token(_))
    }

    /// The name for logs.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::TokenFile { .. } => "token_file",
            Self::Login { login, .. } => match login {
                Kind::AppRole { .. } => "approle",
                Kind::Certificate { .. } => "cert",
                Kind::Jwt { .. } => "jwt",
                Kind::UserPass { .. } => "userpass",
            },
        }
    }
}

/// The token of the file at `path` as it is now.
pub(super) fn token_in(path: &str) -> Result<Token, ProviderError> {
    let text = read_secret("token_file_path", path)?;
    Token::new(&String::from_utf8_lossy(text.expose()))
}

/// The call that logs in, with the files of the method read now.
pub(super) fn login_call(mount: &str, kind: &Kind) -> Result<Login, ProviderError> {
    let mut body = Map::new();
    let mut put = |name: &str, value: &Secret| {
        let text = String::from_utf8_lossy(value.expose()).trim().to_owned();
        body.insert(name.to_owned(), Value::String(text));
    };
    let mut path = format!("{mount}/login");
    match kind {
        Kind::AppRole { role_id, secret_id } => {
            put("role_id", &role_id.read("role_id_file_path")?);
            if let Some(secret_id) = secret_id {
                put("secret_id", &secret_id.read("secret_id_file_path")?);
            }
        }
        Kind::Certificate { name } => {
            if let Some(name) = name {
                put("name", &Secret::new(name.clone().into_bytes()));
            }
        }
        Kind::Jwt { role, file } => {
            put("role", &Secret::new(role.clone().into_bytes()));
            put("jwt", &read_secret("the path of the JWT", file)?);
        }
        Kind::UserPass { username, password } => {
            path = format!("{path}/{username}");
            put("password", password);
        }
    }
    let written = Zeroizing::new(Value::Object(body).to_string());
    Ok(Login {
        path,
        parameters: written.as_bytes().to_vec(),
    })
}

impl Source {
    fn read(&self, name: &str) -> Result<Secret, ProviderError> {
        match self {
            Self::File(path) => read_secret(name, path),
            Self::Given(secret) => Ok(secret.clone()),
        }
    }
}

/// Where Kubernetes puts the token of a pod.
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
