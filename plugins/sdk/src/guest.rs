//! The exports of the component: what the host calls, put into the SDK's own types.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::time::Duration;

use crate::bindings::chancery::ca::types;
use crate::bindings::exports::chancery::ca::{findings, provider};
use crate::{
    Ca, Capabilities, Certificate, CleanUpRequest, CleanUpScope, Config, ConfigureError,
    CrossSignRequest, Description, Error, ErrorKind, ExtendedKeyUsage, Finding, IntermediateAnswer,
    IntermediateRequest, IntermediateTemplate, KeyUsages, LeafRequest, LeafTemplate, OptionKind,
    OptionSpec, OptionValue, RootRequest, RootTemplate, SignIntermediateRequest, Stops, Validity,
    log,
};

/// The exports of the plugin whose CA is `T`.
#[derive(Debug)]
pub struct Guest<T>(PhantomData<T>);

thread_local! {
    /// The CA, once it is configured. An instance has one thread.
    static CA: RefCell<Option<Box<dyn Ca>>> = const { RefCell::new(None) };
}

/// Has the configured CA do something.
fn with<R>(act: impl FnOnce(&mut dyn Ca) -> Result<R, Error>) -> Result<R, types::Error> {
    CA.with_borrow_mut(|ca| match ca {
        Some(ca) => act(ca.as_mut()),
        None => Err(Error::refused("the plugin is not configured")),
    })
    .map_err(Into::into)
}

/// A panic ends the instance, and only a line in the log says why.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| log::error(panic)));
}

impl<T: Ca + 'static> provider::Guest for Guest<T> {
    fn describe() -> provider::Description {
        T::describe().into()
    }

    fn configure(
        config: provider::Config,
    ) -> Result<provider::Capabilities, provider::ConfigureError> {
        log_panics();
        let ca = T::configure(config.into())?;
        let capabilities = ca.capabilities();
        CA.set(Some(Box::new(ca)));
        Ok(capabilities.into())
    }

    fn check() -> Result<(), types::Error> {
        with(|ca| ca.check())
    }

    fn root(request: provider::RootRequest) -> Result<Vec<u8>, types::Error> {
        with(|ca| ca.root(request.into()).map(Certificate::into_der))
    }

    fn intermediate(
        request: provider::IntermediateRequest,
    ) -> Result<provider::IntermediateAnswer, types::Error> {
        with(|ca| ca.intermediate(request.into()).map(Into::into))
    }

    fn accept_intermediate(chain: Vec<Vec<u8>>) -> Result<(), types::Error> {
        with(|ca| ca.accept_intermediate(certificates(chain)))
    }

    fn sign_leaf(request: provider::LeafRequest) -> Result<Vec<Vec<u8>>, types::Error> {
        with(|ca| ca.sign_leaf(request.into()).map(ders))
    }

    fn sign_intermediate(
        request: provider::SignIntermediateRequest,
    ) -> Result<Vec<u8>, types::Error> {
        with(|ca| {
            ca.sign_intermediate(request.into())
                .map(Certificate::into_der)
        })
    }

    fn cross_sign(request: provider::CrossSignRequest) -> Result<Vec<u8>, types::Error> {
        with(|ca| ca.cross_sign(request.into()).map(Certificate::into_der))
    }

    fn clean_up(scope: provider::CleanUpScope, keep: Vec<Vec<u8>>) -> Result<(), types::Error> {
        let request = CleanUpRequest {
            scope: match scope {
                provider::CleanUpScope::Issuing => CleanUpScope::Issuing,
                provider::CleanUpScope::Everything => CleanUpScope::Everything,
            },
            keep: certificates(keep),
        };
        with(|ca| ca.clean_up(request))
    }
}

impl<T: Ca + 'static> findings::Guest for Guest<T> {
    fn report() -> Vec<findings::Finding> {
        let found = with(|ca| Ok(ca.findings())).unwrap_or_default();
        found.into_iter().map(Into::into).collect()
    }
}

fn certificates(chain: Vec<Vec<u8>>) -> Vec<Certificate> {
    chain.into_iter().map(Certificate::from_der).collect()
}

fn ders(chain: Vec<Certificate>) -> Vec<Vec<u8>> {
    chain.into_iter().map(Certificate::into_der).collect()
}

impl From<Error> for types::Error {
    fn from(error: Error) -> Self {
        let wait = error.wait().map(|wait| wait.as_millis());
        Self {
            kind: match error.kind() {
                ErrorKind::Broken => types::ErrorKind::Broken,
                ErrorKind::Misconfigured => types::ErrorKind::Misconfigured,
                ErrorKind::RateLimited => types::ErrorKind::RateLimited,
                ErrorKind::Refused => types::ErrorKind::Refused,
                ErrorKind::Unauthorised => types::ErrorKind::Unauthorised,
                ErrorKind::Unavailable => types::ErrorKind::Unavailable,
            },
            message: error.message().to_owned(),
            retry_after: wait.map(|wait| u64::try_from(wait).unwrap_or(u64::MAX)),
        }
    }
}

impl From<ConfigureError> for provider::ConfigureError {
    fn from(error: ConfigureError) -> Self {
        match error {
            ConfigureError::Options(problems) => Self::Options(problems),
            ConfigureError::Failed(error) => Self::Failed(error.into()),
        }
    }
}

impl From<Description> for provider::Description {
    fn from(description: Description) -> Self {
        Self {
            name: description.name,
            version: description.version,
            about: description.about,
            capabilities: description.capabilities.into(),
            keys: description.keys.into_iter().map(Into::into).collect(),
            options: description.options.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Capabilities> for provider::Capabilities {
    fn from(capabilities: Capabilities) -> Self {
        [
            (Capabilities::CROSS_SIGN, Self::CROSS_SIGN),
            (Capabilities::SIGN_INTERMEDIATE, Self::SIGN_INTERMEDIATE),
            (Capabilities::OWN_INTERMEDIATE, Self::OWN_INTERMEDIATE),
            (
                Capabilities::EXTERNAL_INTERMEDIATE,
                Self::EXTERNAL_INTERMEDIATE,
            ),
            (Capabilities::IMPORT_ROOT, Self::IMPORT_ROOT),
            (Capabilities::CHOOSES_SERIALS, Self::CHOOSES_SERIALS),
        ]
        .into_iter()
        .filter(|(ours, _)| capabilities.contains(*ours))
        .fold(Self::empty(), |all, (_, theirs)| all | theirs)
    }
}

impl From<Finding> for findings::Finding {
    fn from(finding: Finding) -> Self {
        Self {
            subject: finding.subject,
            what: finding.what,
            advice: finding.advice,
            at: finding.at,
            stops: match finding.stops {
                Stops::Nothing => findings::Stops::Nothing,
                Stops::Rotation => findings::Stops::Rotation,
                Stops::Signing => findings::Stops::Signing,
            },
        }
    }
}

impl From<OptionSpec> for provider::OptionSpec {
    fn from(option: OptionSpec) -> Self {
        Self {
            name: option.name,
            kind: match option.kind {
                OptionKind::Text => provider::OptionKind::Text,
                OptionKind::Secret => provider::OptionKind::Secret,
                OptionKind::PrivateKey => provider::OptionKind::PrivateKey,
                OptionKind::Number => provider::OptionKind::Number,
                OptionKind::Truth => provider::OptionKind::Truth,
                OptionKind::Duration => provider::OptionKind::Duration,
                OptionKind::Texts => provider::OptionKind::Texts,
                OptionKind::Url => provider::OptionKind::Url,
            },
            required: option.required,
            default: option.default,
            about: option.about,
        }
    }
}

impl From<provider::Config> for Config {
    fn from(config: provider::Config) -> Self {
        let options = config.options.into_iter();
        Self {
            trust_domain: config.trust_domain,
            datacenter: config.datacenter,
            root_cert: config.root_cert.map(Certificate::from_der),
            options: options.map(|(name, value)| (name, value.into())).collect(),
        }
    }
}

impl From<provider::OptionValue> for OptionValue {
    fn from(value: provider::OptionValue) -> Self {
        match value {
            provider::OptionValue::Text(text) => Self::Text(text),
            provider::OptionValue::Key(name) => Self::Key(name),
            provider::OptionValue::Number(number) => Self::Number(number),
            provider::OptionValue::Truth(truth) => Self::Truth(truth),
            provider::OptionValue::Duration(millis) => {
                Self::Duration(Duration::from_millis(millis))
            }
            provider::OptionValue::Texts(texts) => Self::Texts(texts),
        }
    }
}

impl From<types::Validity> for Validity {
    fn from(validity: types::Validity) -> Self {
        Self {
            not_before: validity.not_before,
            not_after: validity.not_after,
        }
    }
}

impl From<provider::RootRequest> for RootRequest {
    fn from(request: provider::RootRequest) -> Self {
        let template = request.template;
        Self {
            operation: request.operation,
            renew: request.renew,
            template: RootTemplate {
                common_name: template.common_name,
                uri: template.uri,
                serial: template.serial,
                key: template.key.into(),
                validity: template.validity.into(),
            },
        }
    }
}

impl From<provider::IntermediateRequest> for IntermediateRequest {
    fn from(request: provider::IntermediateRequest) -> Self {
        Self {
            operation: request.operation,
            renew: request.renew,
            key: request.key.into(),
            template: request.template.into(),
        }
    }
}

impl From<provider::IntermediateTemplate> for IntermediateTemplate {
    fn from(template: provider::IntermediateTemplate) -> Self {
        Self {
            common_name: template.common_name,
            uri: template.uri,
            serial: template.serial,
            validity: template.validity.into(),
            path_length: template.path_length,
        }
    }
}

impl From<IntermediateAnswer> for provider::IntermediateAnswer {
    fn from(answer: IntermediateAnswer) -> Self {
        match answer {
            IntermediateAnswer::Ready(chain) => Self::Ready(ders(chain)),
            IntermediateAnswer::Csr(csr) => Self::Csr(csr),
        }
    }
}

impl From<provider::LeafRequest> for LeafRequest {
    fn from(request: provider::LeafRequest) -> Self {
        let template = request.template;
        let purposes = template.extended_key_usages.into_iter();
        Self {
            csr: request.csr,
            public_key: request.public_key,
            template: LeafTemplate {
                common_name: template.common_name,
                uri: template.uri,
                serial: template.serial,
                validity: template.validity.into(),
                // Both name the bits of RFC 5280 in its order.
                key_usages: KeyUsages::from_bits(template.key_usages.bits()),
                extended_key_usages: purposes.map(Into::into).collect(),
            },
        }
    }
}

impl From<provider::ExtendedKeyUsage> for ExtendedKeyUsage {
    fn from(usage: provider::ExtendedKeyUsage) -> Self {
        match usage {
            provider::ExtendedKeyUsage::ClientAuth => Self::ClientAuth,
            provider::ExtendedKeyUsage::ServerAuth => Self::ServerAuth,
        }
    }
}

impl From<provider::SignIntermediateRequest> for SignIntermediateRequest {
    fn from(request: provider::SignIntermediateRequest) -> Self {
        Self {
            csr: request.csr,
            public_key: request.public_key,
            template: request.template.into(),
        }
    }
}

impl From<provider::CrossSignRequest> for CrossSignRequest {
    fn from(request: provider::CrossSignRequest) -> Self {
        Self {
            root: Certificate::from_der(request.root),
            serial: request.serial,
            validity: request.validity.into(),
        }
    }
}
