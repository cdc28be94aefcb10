//! What comes from a plugin, made into this crate's types or refused.

use std::time::Duration;

use chancery_core::{Printable, Timestamp};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};

use super::bindings::chancery::ca::types;
use super::bindings::exports::chancery::ca::provider as wit;
use super::optional::exports::chancery::ca::findings;
use crate::wasm::schema::{OptionKind, OptionSpec, check_specs};
use crate::{Capabilities, ErrorKind, Finding, KeySpec, ProviderError, Stops};

/// What a plugin says it is.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) about: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) options: Vec<OptionSpec>,
}

/// What `intermediate` answered.
pub(crate) enum Intermediate {
    Ready(Vec<CertificateDer<'static>>),
    Csr(CertificateSigningRequestDer<'static>),
}

/// What a plugin says of itself, if it is fit to be shown and used.
pub(super) fn about(said: wit::Description) -> Result<About, ProviderError> {
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let name_is_good = (1..=LONGEST_NAME).contains(&said.name.len())
        && said
            .name
            .starts_with(|first: char| first.is_ascii_lowercase())
        && said.name.bytes().all(letters);
    if !name_is_good {
        return Err(ProviderError::broken(format!(
            "the plugin calls itself \"{}\": a name has up to {LONGEST_NAME} lower case letters, \
             digits and hyphens, the first a letter",
            Printable::new(&said.name)
        )));
    }
    let options: Vec<OptionSpec> = said.options.into_iter().map(option_spec).collect();
    check_specs(&options)
        .map_err(|problem| ProviderError::broken(format!("the plugin: {problem}")))?;
    let mut capabilities = capabilities(said.capabilities);
    for key in said.keys {
        let key = key_spec(key);
        if !capabilities.keys.contains(&key) {
            capabilities.keys.push(key);
        }
    }
    Ok(About {
        name: said.name,
        version: Printable::new(&said.version).to_string(),
        about: Printable::new(&said.about).to_string(),
        capabilities,
        options,
    })
}

/// All but the keys, which only the description has.
pub(super) fn capabilities(said: wit::Capabilities) -> Capabilities {
    let has = |flag| said.contains(flag);
    Capabilities {
        cross_sign: has(wit::Capabilities::CROSS_SIGN),
        sign_intermediate: has(wit::Capabilities::SIGN_INTERMEDIATE),
        external_intermediate: has(wit::Capabilities::EXTERNAL_INTERMEDIATE),
        own_intermediate: has(wit::Capabilities::OWN_INTERMEDIATE),
        import_root: has(wit::Capabilities::IMPORT_ROOT),
        chooses_serials: has(wit::Capabilities::CHOOSES_SERIALS),
        ..Capabilities::default()
    }
}

fn option_spec(said: wit::OptionSpec) -> OptionSpec {
    OptionSpec {
        name: said.name,
        kind: match said.kind {
            wit::OptionKind::Text => OptionKind::Text,
            wit::OptionKind::Secret => OptionKind::Secret,
            wit::OptionKind::PrivateKey => OptionKind::PrivateKey,
            wit::OptionKind::Number => OptionKind::Number,
            wit::OptionKind::Truth => OptionKind::Truth,
            wit::OptionKind::Duration => OptionKind::Duration,
            wit::OptionKind::Texts => OptionKind::Texts,
            wit::OptionKind::Url => OptionKind::Url,
        },
        required: said.required,
        default: said.default,
        about: Printable::new(&said.about).to_string(),
    }
}

/// What its texts hold the guard looks at, as at those of any provider.
pub(super) fn finding(said: findings::Finding, now: Timestamp) -> Finding {
    let left = said.at.map(|at| at.saturating_sub(now.unix_seconds()));
    Finding {
        subject: said.subject,
        what: said.what,
        advice: said.advice,
        left: left.map(|it| Duration::from_secs(u64::try_from(it).unwrap_or_default())),
        stops: match said.stops {
            findings::Stops::Nothing => Stops::Nothing,
            findings::Stops::Rotation => Stops::Rotation,
            findings::Stops::Signing => Stops::Signing,
        },
    }
}

pub(super) fn configure_error(said: wit::ConfigureError) -> ProviderError {
    match said {
        wit::ConfigureError::Failed(error) => refusal(error),
        wit::ConfigureError::Options(problems) => {
            let problems = problems.iter().take(MOST_PROBLEMS).map(|(name, problem)| {
                format!("{}: {}", Printable::new(name), Printable::new(problem))
            });
            let problems: Vec<String> = problems.collect();
            ProviderError::misconfigured(format!(
                "the plugin does not take these options: {}",
                problems.join("; ")
            ))
        }
    }
}

pub(super) fn refusal(said: types::Error) -> ProviderError {
    let retry_after = said.retry_after.map(Duration::from_millis);
    let retry_after = retry_after.map(|it| it.min(LONGEST_WAIT));
    let kind = match said.kind {
        types::ErrorKind::Broken => ErrorKind::Broken,
        types::ErrorKind::Misconfigured => ErrorKind::Misconfigured,
        types::ErrorKind::RateLimited => ErrorKind::RateLimited { retry_after },
        types::ErrorKind::Refused => ErrorKind::Refused,
        types::ErrorKind::Unauthorised => ErrorKind::Unauthorised,
        types::ErrorKind::Unavailable => ErrorKind::Unavailable { retry_after },
    };
    ProviderError::new(
        kind,
        Printable::up_to(&said.message, LONGEST_MESSAGE).to_string(),
    )
}

pub(super) fn intermediate(said: wit::IntermediateAnswer) -> Result<Intermediate, ProviderError> {
    match said {
        wit::IntermediateAnswer::Ready(answer) => chain(answer).map(Intermediate::Ready),
        wit::IntermediateAnswer::Csr(der) => sized(der, "a CSR")
            .map(|der| Intermediate::Csr(CertificateSigningRequestDer::from(der))),
    }
}

pub(super) fn certificate(der: Vec<u8>) -> Result<CertificateDer<'static>, ProviderError> {
    sized(der, "a certificate").map(CertificateDer::from)
}

pub(super) fn chain(ders: Vec<Vec<u8>>) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
    if ders.len() > LONGEST_CHAIN {
        return Err(ProviderError::broken(format!(
            "the plugin answered with a chain of {} certificates, allowed are {LONGEST_CHAIN}",
            ders.len()
        )));
    }
    ders.into_iter().map(certificate).collect()
}

fn sized(der: Vec<u8>, what: &str) -> Result<Vec<u8>, ProviderError> {
    if der.len() > LARGEST_DER {
        return Err(ProviderError::broken(format!(
            "the plugin answered with {what} of {} bytes, allowed are {LARGEST_DER}",
            der.len()
        )));
    }
    Ok(der)
}

pub(super) const fn key_spec(key: types::KeyType) -> KeySpec {
    match key {
        types::KeyType::EcP256 => KeySpec::EcP256,
        types::KeyType::EcP384 => KeySpec::EcP384,
        types::KeyType::EcP521 => KeySpec::EcP521,
        types::KeyType::Ed25519 => KeySpec::Ed25519,
        types::KeyType::Rsa2048 => KeySpec::Rsa2048,
        types::KeyType::Rsa4096 => KeySpec::Rsa4096,
    }
}

const LONGEST_NAME: usize = 32;
const LONGEST_MESSAGE: usize = 1024;
/// No plugin puts its CA to sleep for longer by one answer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const LONGEST_CHAIN: usize = 8;
const LARGEST_DER: usize = 16 << 10;
const MOST_PROBLEMS: usize = 64;
