//! A CA elsewhere: OpenBao's PKI engine, over its HTTP API.
//!
//! The operator gives a mount, a role to sign leafs by, and a token. The root's key is made in
//! the mount and never leaves it; this plugin keeps only which issuer it is.

#![forbid(unsafe_code)]

mod api;

use chancery_plugin::{
    Ca, Capabilities, Certificate, CleanUpRequest, CleanUpScope, Config, ConfigureError,
    CrossSignRequest, Description, Error, KeyType, LeafRequest, OptionSpec, RootRequest,
    SignIntermediateRequest, Timestamp, Validity, certificate, clock, state,
};
use serde_json::{Value, json};

use self::api::Api;

/// Under this name the root is kept.
const ROOT: &str = "root";
/// Under this name is kept which issuer of the mount it is.
const ISSUER: &str = "issuer";
/// Under this name is kept which wish it was made for, unless it was there before.
const OPERATION: &str = "operation";

/// The CA: where it is, and what in it is used.
#[derive(Debug)]
pub struct RemoteCa {
    api: Api,
    role: String,
    issuer: Option<String>,
}

impl Ca for RemoteCa {
    fn describe() -> Description {
        let about = "signs through the PKI engine of OpenBao";
        Description::new("remote-ca", env!("CARGO_PKG_VERSION"), about)
            .can(Capabilities::SIGN_INTERMEDIATE | Capabilities::CROSS_SIGN)
            .keys(KeyType::ALL)
            .option(OptionSpec::url("address", "where OpenBao answers").required())
            .option(OptionSpec::secret("token", "a token for it").required())
            .option(OptionSpec::text("namespace", "the namespace of the mount"))
            .option(OptionSpec::text("mount", "the PKI engine's mount").default_value("pki"))
            .option(OptionSpec::text("role", "the role that signs leafs").default_value("leaf"))
            .option(OptionSpec::text(
                "issuer",
                "an issuer in the mount that is the root; otherwise one is made",
            ))
    }

    fn configure(config: Config) -> Result<Self, ConfigureError> {
        let options = &config.options;
        Ok(Self {
            api: Api::new(options)?,
            role: options.read("role")?,
            issuer: options.read("issuer")?,
        })
    }

    /// The token is good, and the mount is there.
    fn check(&mut self) -> Result<(), Error> {
        self.api.read("auth/token/lookup-self")?;
        self.api.issuer("default").map(drop)
    }

    fn root(&mut self, request: RootRequest) -> Result<Certificate, Error> {
        // The same wish comes again after a crash: it must not make a second root.
        let asked_before = state::text(OPERATION).as_deref() == Some(&request.operation);
        if let Some(root) = state::value(ROOT)
            && (asked_before || !request.renew)
        {
            return Ok(Certificate::from_der(root));
        }
        if let Some(name) = &self.issuer {
            if request.renew {
                let message = "the root is the one that the option issuer names: change it there";
                return Err(Error::refused(message));
            }
            let found = self.api.issuer(name)?;
            let missing = || Error::misconfigured(format!("there is no issuer {name:?}"));
            return keep(&format!("issuer/{name}"), &found.ok_or_else(missing)?);
        }
        // It may have been made without us living to hear of it.
        let name = format!("chancery-{}", request.operation);
        let made = match self.api.issuer(&name)? {
            Some(found) => found,
            None => self.generate(&name, &request)?,
        };
        state::set(OPERATION, &request.operation)?;
        keep(&format!("issuer/{name}"), &made)
    }

    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let template = &request.template;
        let issuer = issuer()?;
        // No role lets through a name that begins with a dot, and nothing reads it.
        let name = Some(&template.common_name).filter(|name| !name.starts_with('.'));
        let path = self
            .api
            .path(&format!("issuer/{issuer}/sign/{}", self.role));
        let signed = self.api.write(
            &path,
            &json!({
                "csr": certificate::csr_pem(&request.csr),
                "common_name": name,
                "uri_sans": [template.uri],
                "exclude_cn_from_sans": true,
                "not_after": clock::rfc3339(end(template.validity)?),
            }),
        )?;
        Ok(vec![api::certificate(&path, &signed)?])
    }

    fn sign_intermediate(
        &mut self,
        request: SignIntermediateRequest,
    ) -> Result<Certificate, Error> {
        let template = &request.template;
        let path = self
            .api
            .path(&format!("issuer/{}/sign-intermediate", issuer()?));
        let signed = self.api.write(
            &path,
            &json!({
                "csr": certificate::csr_pem(&request.csr),
                "common_name": template.common_name,
                "uri_sans": [template.uri],
                "exclude_cn_from_sans": true,
                "max_path_length": template.path_length,
                "not_after": clock::rfc3339(end(template.validity)?),
            }),
        )?;
        api::certificate(&path, &signed)
    }

    /// OpenBao puts its key and name over the root as it stands, whatever the signature on it.
    fn cross_sign(&mut self, request: CrossSignRequest) -> Result<Certificate, Error> {
        let path = self
            .api
            .path(&format!("issuer/{}/sign-self-issued", issuer()?));
        let root = state::value(ROOT).map(Certificate::from_der);
        let root = root.ok_or_else(|| Error::refused("there is no root yet"))?;
        let wanted = certificate::unsigned_cross(&request, &root)?;
        let body = json!({ "certificate": wanted.pem() });
        api::certificate(&path, &self.api.write(&path, &body)?)
    }

    /// What was made for us goes when nobody trusts it any more.
    fn clean_up(&mut self, request: CleanUpRequest) -> Result<(), Error> {
        let (Some(root), Some(operation)) = (state::value(ROOT), state::text(OPERATION)) else {
            return Ok(());
        };
        let kept = request.keep.iter().any(|kept| kept.der() == root);
        if request.scope != CleanUpScope::Everything || kept {
            return Ok(());
        }
        let name = format!("chancery-{operation}");
        self.api.delete(&self.api.path(&format!("issuer/{name}")))?;
        self.api.delete(&self.api.path(&format!("key/{name}")))
    }
}

impl RemoteCa {
    fn generate(&self, name: &str, request: &RootRequest) -> Result<Value, Error> {
        let template = &request.template;
        let (key_type, key_bits) = match template.key {
            KeyType::EcP256 => ("ec", 256),
            KeyType::EcP384 => ("ec", 384),
            KeyType::EcP521 => ("ec", 521),
            KeyType::Ed25519 => ("ed25519", 0),
            KeyType::Rsa2048 => ("rsa", 2048),
            KeyType::Rsa4096 => ("rsa", 4096),
            other => {
                return Err(Error::refused(format!(
                    "no key of kind {other:?} can be made"
                )));
            }
        };
        self.api.write_slowly(
            &self.api.path("root/generate/internal"),
            &json!({
                "issuer_name": name,
                "key_name": name,
                "key_type": key_type,
                "key_bits": key_bits,
                "common_name": template.common_name,
                "uri_sans": [template.uri],
                "exclude_cn_from_sans": true,
                "not_before_duration": "60s",
                "not_after": clock::rfc3339(template.validity.not_after),
            }),
        )
    }
}

/// Keeps what `path` says of the root.
fn keep(path: &str, answer: &Value) -> Result<Certificate, Error> {
    let root = api::certificate(path, answer)?;
    let id = answer["issuer_id"].as_str();
    let id = id.ok_or_else(|| Error::broken("the answer names no issuer").about(path))?;
    state::set(ROOT, &root)?;
    state::set(ISSUER, id)?;
    Ok(root)
}

fn issuer() -> Result<String, Error> {
    state::text(ISSUER).ok_or_else(|| Error::refused("there is no root yet"))
}

/// OpenBao refuses what would outlive the root, so it is cut here.
fn end(wanted: Validity) -> Result<Timestamp, Error> {
    let root = state::value(ROOT).map(Certificate::from_der);
    let root = root.ok_or_else(|| Error::refused("there is no root yet"))?;
    let last = root.read()?.validity.not_after;
    if wanted.not_before >= last {
        return Err(Error::refused(format!(
            "the root ends at {}, before the certificate would begin",
            clock::rfc3339(last)
        )));
    }
    Ok(wanted.not_after.min(last))
}

chancery_plugin::export!(RemoteCa);

#[cfg(test)]
mod tests;
