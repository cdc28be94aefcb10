//! AWS Private CA: Consul's third provider, `aws-pca`, as a plugin.
//!
//! `existing_arn`, `delete_on_exit` and `region` are named as in Consul. Where Consul takes
//! credentials from its environment, which a plugin does not see, they are options here.
//!
//! What a certificate says goes by AWS's APIPassthrough templates, so that it is what Chancery
//! asks for: the plain ones give every leaf keyEncipherment and an hour of the past.

#![forbid(unsafe_code)]

mod api;
mod signature;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_plugin::{
    Ca, Capabilities, Certificate, CleanUpRequest, CleanUpScope, Config, ConfigureError,
    Description, Error, ExtendedKeyUsage, KeyType, KeyUsages, LeafRequest, OptionSpec, RootRequest,
    SignIntermediateRequest, Validity, certificate, state,
};
use serde_json::{Value, json};

use self::api::{Api, first, text};

const ARN: &str = "arn";
const ROOT: &str = "root";
const ALGORITHM: &str = "algorithm";
const OPERATION: &str = "operation";

/// The CA, in one region.
#[derive(Debug)]
pub struct AwsPca {
    api: Api,
    existing: Option<String>,
    delete_on_exit: bool,
}

impl Ca for AwsPca {
    fn describe() -> Description {
        let about = "signs by AWS Private CA";
        Description::new("aws-pca", env!("CARGO_PKG_VERSION"), about)
            .can(Capabilities::SIGN_INTERMEDIATE)
            .keys([
                KeyType::EcP256,
                KeyType::EcP384,
                KeyType::Rsa2048,
                KeyType::Rsa4096,
            ])
            .option(OptionSpec::text("region", "the region, such as eu-central-1").required())
            .option(OptionSpec::text("access_key_id", "the id of an access key").required())
            .option(OptionSpec::secret("secret_access_key", "its secret").required())
            .option(OptionSpec::secret(
                "session_token",
                "its token, if it is a temporary one",
            ))
            .option(OptionSpec::url(
                "endpoint",
                "where the API answers, if not in the region",
            ))
            .option(OptionSpec::text(
                "existing_arn",
                "a root CA that is there; otherwise one is made",
            ))
            .option(
                OptionSpec::truth(
                    "delete_on_exit",
                    "whether a CA that was made goes in the end",
                )
                .default_value("false"),
            )
    }

    fn configure(config: Config) -> Result<Self, ConfigureError> {
        let options = &config.options;
        Ok(Self {
            api: Api::new(options)?,
            existing: options.read("existing_arn")?,
            delete_on_exit: options.read("delete_on_exit")?,
        })
    }

    fn check(&mut self) -> Result<(), Error> {
        match &self.existing {
            Some(arn) => self.describe_ca(arn).map(drop),
            None => {
                let wish = json!({ "MaxResults": 1 });
                self.api.call("ListCertificateAuthorities", &wish).map(drop)
            }
        }
    }

    fn root(&mut self, request: RootRequest) -> Result<Certificate, Error> {
        // The same wish comes again after a crash: it must not make a second root.
        let asked_before = state::text(OPERATION).as_deref() == Some(&request.operation);
        if let Some(root) = state::value(ROOT)
            && (asked_before || !request.renew)
        {
            return Ok(Certificate::from_der(root));
        }
        let (arn, algorithm, root) = match &self.existing {
            Some(_) if request.renew => {
                let message = "the root is the one in existing_arn: change it there";
                return Err(Error::refused(message));
            }
            Some(arn) => self.existing_root(arn)?,
            None => {
                let made = self.make_root(&request)?;
                state::set(OPERATION, &request.operation)?;
                made
            }
        };
        state::set(ALGORITHM, &algorithm)?;
        state::set(ARN, &arn)?;
        state::set(ROOT, &root)?;
        Ok(root)
    }

    fn sign_leaf(&mut self, request: LeafRequest) -> Result<Vec<Certificate>, Error> {
        let template = &request.template;
        let usages = template.key_usages;
        let mut extensions = names(&template.uri);
        if let Some(extensions) = extensions.as_object_mut() {
            let usages = json!({
                "DigitalSignature": usages.contains(KeyUsages::DIGITAL_SIGNATURE),
                "KeyEncipherment": usages.contains(KeyUsages::KEY_ENCIPHERMENT),
            });
            let purposes = template
                .extended_key_usages
                .iter()
                .map(|usage| match usage {
                    ExtendedKeyUsage::ServerAuth => {
                        json!({ "ExtendedKeyUsageType": "SERVER_AUTH" })
                    }
                    _ => json!({ "ExtendedKeyUsageType": "CLIENT_AUTH" }),
                });
            extensions.insert("KeyUsage".to_owned(), usages);
            extensions.insert("ExtendedKeyUsage".to_owned(), purposes.collect());
        }
        let kind = "BlankEndEntityCertificate_CriticalBasicConstraints_APIPassthrough";
        let name = &template.common_name;
        self.sign(kind, &request.csr, template.validity, name, &extensions)
            .map(|leaf| vec![leaf])
    }

    fn sign_intermediate(
        &mut self,
        request: SignIntermediateRequest,
    ) -> Result<Certificate, Error> {
        let template = &request.template;
        let length = template.path_length;
        let kind = format!("SubordinateCACertificate_PathLen{length}_APIPassthrough");
        let (name, extensions) = (&template.common_name, names(&template.uri));
        self.sign(&kind, &request.csr, template.validity, name, &extensions)
    }

    /// As Consul does: a CA that was made is gone after a week, if that is wanted.
    fn clean_up(&mut self, request: CleanUpRequest) -> Result<(), Error> {
        let (Some(arn), Some(root)) = (state::text(ARN), state::value(ROOT)) else {
            return Ok(());
        };
        let kept = request.keep.iter().any(|kept| kept.der() == root);
        let over = request.scope == CleanUpScope::Everything && !kept;
        if self.existing.is_some() || !self.delete_on_exit || !over {
            return Ok(());
        }
        let described = self.describe_ca(&arn)?;
        if text(&described, "Status")? == "DELETED" {
            return Ok(());
        }
        let wish = json!({ "CertificateAuthorityArn": arn, "Status": "DISABLED" });
        self.api.call("UpdateCertificateAuthority", &wish)?;
        let wish = json!({ "CertificateAuthorityArn": arn, "PermanentDeletionTimeInDays": 7 });
        self.api.call("DeleteCertificateAuthority", &wish).map(drop)
    }
}

impl AwsPca {
    fn describe_ca(&self, arn: &str) -> Result<Value, Error> {
        let wish = json!({ "CertificateAuthorityArn": arn });
        let answer = self.api.call("DescribeCertificateAuthority", &wish)?;
        let found = answer.get("CertificateAuthority").cloned();
        found.ok_or_else(|| Error::broken("the answer describes no CA"))
    }

    /// A CA that is there: its ARN, with what it signs, and its certificate.
    fn existing_root(&self, arn: &str) -> Result<(String, String, Certificate), Error> {
        let wish = json!({ "CertificateAuthorityArn": arn });
        let found = self.api.call("GetCertificateAuthorityCertificate", &wish)?;
        let root = first(&found)?;
        let described = self.describe_ca(arn)?;
        let configuration = described.get("CertificateAuthorityConfiguration");
        let algorithm = text(configuration.unwrap_or(&Value::Null), "SigningAlgorithm")?;
        Ok((arn.to_owned(), algorithm.to_owned(), root))
    }

    /// A new CA with a certificate of its own. For some minutes AWS answers the same wish with
    /// the same CA, so that one that is not ready in time is found again.
    fn make_root(&self, request: &RootRequest) -> Result<(String, String, Certificate), Error> {
        let template = &request.template;
        let (key, algorithm) = match template.key {
            KeyType::EcP256 => ("EC_prime256v1", "SHA256WITHECDSA"),
            KeyType::EcP384 => ("EC_secp384r1", "SHA384WITHECDSA"),
            KeyType::Rsa2048 => ("RSA_2048", "SHA256WITHRSA"),
            KeyType::Rsa4096 => ("RSA_4096", "SHA256WITHRSA"),
            other => {
                return Err(Error::refused(format!(
                    "AWS makes no key of kind {other:?}"
                )));
            }
        };
        let made = self.api.call(
            "CreateCertificateAuthority",
            &json!({
                "CertificateAuthorityType": "ROOT",
                "IdempotencyToken": request.operation,
                "CertificateAuthorityConfiguration": {
                    "KeyAlgorithm": key,
                    "SigningAlgorithm": algorithm,
                    "Subject": { "CommonName": template.common_name },
                },
            }),
        )?;
        let arn = text(&made, "CertificateAuthorityArn")?.to_owned();
        let wish = json!({ "CertificateAuthorityArn": arn });
        let asked = self.api.ready("GetCertificateAuthorityCsr", &wish)?;
        let root = self.api.issue(
            &arn,
            text(&asked, "Csr")?,
            json!({
                "IdempotencyToken": request.operation,
                "SigningAlgorithm": algorithm,
                "TemplateArn": template_arn("RootCACertificate_APIPassthrough"),
                "ApiPassthrough": { "Extensions": names(&template.uri) },
                "Validity": moment(template.validity.not_after),
                "ValidityNotBefore": moment(template.validity.not_before),
            }),
        )?;
        self.api.call(
            "ImportCertificateAuthorityCertificate",
            &json!({
                "CertificateAuthorityArn": arn,
                "Certificate": STANDARD.encode(root.pem()),
            }),
        )?;
        Ok((arn, algorithm.to_owned(), root))
    }

    fn sign(
        &self,
        kind: &str,
        csr: &[u8],
        wanted: Validity,
        common_name: &str,
        extensions: &Value,
    ) -> Result<Certificate, Error> {
        let none = || Error::refused("there is no root yet");
        let root = Certificate::from_der(state::value(ROOT).ok_or_else(none)?);
        let (arn, algorithm) = (state::text(ARN), state::text(ALGORITHM));
        let (arn, algorithm) = arn.zip(algorithm).ok_or_else(none)?;
        let own = root.read()?.validity;
        let start = wanted.not_before.max(own.not_before);
        let end = wanted.not_after.min(own.not_after);
        if start >= end {
            return Err(Error::refused(
                "the certificate has no life within the root's",
            ));
        }
        self.api.issue(
            &arn,
            &certificate::csr_pem(csr),
            json!({
                "SigningAlgorithm": algorithm,
                "TemplateArn": template_arn(kind),
                "ApiPassthrough": {
                    "Subject": { "CommonName": common_name },
                    "Extensions": extensions,
                },
                "Validity": moment(end),
                "ValidityNotBefore": moment(start),
            }),
        )
    }
}

fn names(uri: &str) -> Value {
    json!({ "SubjectAlternativeNames": [{ "UniformResourceIdentifier": uri }] })
}

fn moment(second: i64) -> Value {
    json!({ "Type": "ABSOLUTE", "Value": second })
}

fn template_arn(kind: &str) -> String {
    format!("arn:aws:acm-pca:::template/{kind}/V1")
}

chancery_plugin::export!(AwsPca);

#[cfg(test)]
mod tests;
