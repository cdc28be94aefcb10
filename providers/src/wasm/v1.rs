//! `chancery:ca@1`: the only file that knows the types of the interface.
//!
//! What comes from a plugin is made into this crate's types here or refused; what goes to one is
//! taken from them. Signatures and the policy are the guard's to check.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chancery_core::{Printable, Timestamp};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer};
use wasmtime::Store;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker, Resource};

use self::bindings::chancery::ca::{clock, keys, log, state, types};
use self::bindings::exports::chancery::ca::provider as wit;
use self::optional::exports::chancery::ca::findings;
use super::counters::Counters;
use super::guest::Guest;
use super::held_key::HeldKey;
use super::schema::{OptionKind, OptionSpec, OptionValue, check_specs};
use super::table::{KeyRefusal, Table};
use super::{engine, limits};
use crate::{
    AcceptIntermediateRequest, Capabilities, CleanUpRequest, CleanUpScope, CrossSignRequest,
    ErrorKind, ExtendedKeyUsage, Finding, IntermediateRequest, IntermediateTemplate, KeySpec,
    LeafRequest, ProviderError, RootRequest, SignIntermediateRequest, Stops, Validity,
};

mod bindings {
    wasmtime::component::bindgen!({
        path: "../plugins/wit",
        world: "plugin",
        imports: {
            "chancery:ca/keys.generate": async | trappable,
            default: trappable,
        },
        exports: { default: async },
        with: { "chancery:ca/keys.key": super::Key },
    });
}

/// What a plugin need not export.
mod optional {
    wasmtime::component::bindgen!({
        path: "../plugins/wit",
        inline: "
            package chancery:optional;
            world says-findings { export chancery:ca/findings@1.1.0; }
        ",
        world: "chancery:optional/says-findings",
        imports: { default: trappable },
        exports: { default: async },
        with: { "chancery:ca/types": super::bindings::chancery::ca::types },
    });
}

/// What a handle stands for in the host.
#[expect(unreachable_pub, reason = "generated code re-exports it")]
pub struct Key(Arc<HeldKey>);

/// A trap, or what the plugin answered, or its refusal.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, ProviderError>>;

/// A call with all it hands over.
pub(crate) type Call<T> = Box<
    dyn for<'i> FnOnce(&'i mut Instance) -> Pin<Box<dyn Future<Output = Answer<T>> + Send + 'i>>
        + Send,
>;

/// A component whose imports are all there.
pub(crate) struct Prepared {
    instance: InstancePre<Guest>,
    plugin: bindings::PluginIndices,
    /// Of one that exports them: 1.0 did not have them, and later ones need not.
    findings: Option<optional::SaysFindingsIndices>,
}

/// A running copy of a plugin, with its memory.
pub(crate) struct Instance {
    store: Store<Guest>,
    plugin: bindings::Plugin,
    findings: Option<optional::SaysFindings>,
    configured: bool,
}

/// What a plugin says it is.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) about: String,
    pub(crate) capabilities: Capabilities,
    pub(crate) options: Vec<OptionSpec>,
}

/// What a plugin is configured with.
pub(crate) struct Configuration(wit::Config);

/// Leaf and links, and the key that signed the leaf if the host did it in this call.
pub(crate) type Leaf = (Vec<CertificateDer<'static>>, Option<Vec<u8>>);

/// What `intermediate` answered.
pub(crate) enum Intermediate {
    Ready(Vec<CertificateDer<'static>>),
    Csr(CertificateSigningRequestDer<'static>),
}

impl Prepared {
    /// Finds all that the component imports, and that its exports have the right types.
    pub(crate) fn new(component: &Component) -> wasmtime::Result<Self> {
        let instance = linker()?.instantiate_pre(component)?;
        let says_findings = component.get_export_index(None, FINDINGS).is_some();
        Ok(Self {
            plugin: bindings::PluginIndices::new(&instance)?,
            findings: says_findings
                .then(|| optional::SaysFindingsIndices::new(&instance))
                .transpose()?,
            instance,
        })
    }

    /// Whether it says what will stop working.
    pub(crate) const fn says_findings(&self) -> bool {
        self.findings.is_some()
    }

    pub(crate) async fn instantiate(&self, guest: Guest) -> wasmtime::Result<Instance> {
        let mut store = Store::new(self.instance.engine(), guest);
        store.limiter(|guest| &mut guest.limiter);
        store.set_hostcall_fuel(limits::HANDED_OVER);
        store.set_max_component_handles(limits::HANDLES);
        store.epoch_deadline_async_yield_and_update(1);
        store.set_epoch_deadline(engine::IN_PLACE_TICKS);
        let instance = self.instance.instantiate_async(&mut store).await?;
        let findings = self.findings.as_ref();
        Ok(Instance {
            plugin: self.plugin.load(&mut store, &instance)?,
            findings: findings
                .map(|it| it.load(&mut store, &instance))
                .transpose()?,
            store,
            configured: false,
        })
    }
}

fn linker() -> wasmtime::Result<&'static Linker<Guest>> {
    static LINKER: OnceLock<Linker<Guest>> = OnceLock::new();
    if let Some(linker) = LINKER.get() {
        return Ok(linker);
    }
    let engine = engine::shared().map_err(|error| wasmtime::Error::msg(error.to_string()))?;
    let mut linker = Linker::new(&engine.engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    bindings::Plugin::add_to_linker::<_, HasSelf<Guest>>(&mut linker, |guest| guest)?;
    Ok(LINKER.get_or_init(|| linker))
}

impl Instance {
    /// Makes it ready for one call.
    pub(crate) fn begin(&mut self, table: Table, writable: bool) {
        self.store.set_epoch_deadline(engine::IN_PLACE_TICKS);
        self.store.data_mut().begin(table, writable);
    }

    /// Configures it unless it is.
    pub(crate) async fn ready(&mut self, configuration: &Configuration) -> Answer<()> {
        if self.configured {
            return Ok(Ok(()));
        }
        Ok(match self.configure(configuration).await? {
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        })
    }

    pub(crate) const fn is_configured(&self) -> bool {
        self.configured
    }

    /// The state as this call left it.
    pub(crate) fn table(&self) -> Table {
        self.store.data().table.clone()
    }

    /// Whether it has used so much of its memory that a fresh one is the better choice.
    pub(crate) fn is_worn(&self) -> bool {
        self.store.data().limiter.is_worn()
    }

    async fn configure(&mut self, configuration: &Configuration) -> Answer<Capabilities> {
        let provider = self.plugin.chancery_ca_provider();
        let answer = provider
            .call_configure(&mut self.store, &configuration.0)
            .await?;
        self.configured = answer.is_ok();
        Ok(answer.map(capabilities).map_err(configure_error))
    }
}

impl Configuration {
    pub(crate) fn new(
        trust_domain: &str,
        datacenter: &str,
        root: Option<&[u8]>,
        options: Vec<(String, OptionValue)>,
    ) -> Self {
        let options = options.into_iter();
        Self(wit::Config {
            trust_domain: trust_domain.to_owned(),
            datacenter: datacenter.to_owned(),
            root_cert: root.map(<[u8]>::to_vec),
            options: options.map(|(name, it)| (name, option_value(it))).collect(),
        })
    }
}

pub(crate) fn describe() -> Call<About> {
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let said = provider.call_describe(&mut it.store).await?;
            Ok(about(said))
        })
    })
}

/// The first configuration of an instance, for what it says it can do.
pub(crate) fn configure(configuration: Arc<Configuration>) -> Call<Capabilities> {
    Box::new(|it| Box::pin(async move { it.configure(&configuration).await }))
}

pub(crate) fn check() -> Call<()> {
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_check(&mut it.store).await?;
            Ok(answer.map_err(refusal))
        })
    })
}

/// No call at all: the instance is made ready for one.
pub(crate) fn nothing() -> Call<()> {
    Box::new(|_| Box::pin(async { Ok(Ok(())) }))
}

pub(crate) fn root(request: &RootRequest) -> Call<CertificateDer<'static>> {
    let template = &request.template;
    let request = wit::RootRequest {
        operation: request.operation.to_string(),
        renew: request.renew,
        template: wit::RootTemplate {
            common_name: template.common_name.clone(),
            uri: template.uri.clone(),
            serial: template.serial.as_bytes().to_vec(),
            key: key_type(template.key),
            validity: validity(template.validity),
        },
    };
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_root(&mut it.store, &request).await?;
            Ok(answer.map_err(refusal).and_then(certificate))
        })
    })
}

pub(crate) fn intermediate(request: &IntermediateRequest) -> Call<Intermediate> {
    let request = wit::IntermediateRequest {
        operation: request.operation.to_string(),
        renew: request.renew,
        key: key_type(request.key),
        template: intermediate_template(&request.template),
    };
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_intermediate(&mut it.store, &request).await?;
            Ok(match answer.map_err(refusal) {
                Ok(wit::IntermediateAnswer::Ready(answer)) => {
                    chain(answer).map(Intermediate::Ready)
                }
                Ok(wit::IntermediateAnswer::Csr(der)) => sized(der, "a CSR")
                    .map(|der| Intermediate::Csr(CertificateSigningRequestDer::from(der))),
                Err(error) => Err(error),
            })
        })
    })
}

pub(crate) fn accept_intermediate(request: &AcceptIntermediateRequest) -> Call<()> {
    let chain: Vec<Vec<u8>> = request.chain.iter().map(|it| it.to_vec()).collect();
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_accept_intermediate(&mut it.store, &chain);
            Ok(answer.await?.map_err(refusal))
        })
    })
}

pub(crate) fn sign_leaf(request: &LeafRequest) -> Call<Leaf> {
    let template = &request.template;
    let request = wit::LeafRequest {
        csr: request.csr.to_vec(),
        public_key: request.public_key.to_vec(),
        template: wit::LeafTemplate {
            common_name: template.common_name.clone(),
            uri: template.uri.clone(),
            serial: template.serial.as_bytes().to_vec(),
            validity: validity(template.validity),
            key_usages: key_usages(template.key_usages),
            extended_key_usages: template
                .extended_key_usages
                .iter()
                .map(|usage| match usage {
                    ExtendedKeyUsage::ClientAuth => wit::ExtendedKeyUsage::ClientAuth,
                    ExtendedKeyUsage::ServerAuth => wit::ExtendedKeyUsage::ServerAuth,
                })
                .collect(),
        },
    };
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_sign_leaf(&mut it.store, &request).await?;
            let answer = answer.map_err(refusal).and_then(chain);
            Ok(answer.map(|chain| {
                let signatures = &it.store.data().signatures;
                let key = chain.first().and_then(|leaf| signatures.key_of(leaf));
                (chain, key)
            }))
        })
    })
}

pub(crate) fn sign_intermediate(
    request: &SignIntermediateRequest,
) -> Call<CertificateDer<'static>> {
    let request = wit::SignIntermediateRequest {
        csr: request.csr.to_vec(),
        public_key: request.public_key.to_vec(),
        template: intermediate_template(&request.template),
    };
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_sign_intermediate(&mut it.store, &request);
            Ok(answer.await?.map_err(refusal).and_then(certificate))
        })
    })
}

pub(crate) fn cross_sign(request: &CrossSignRequest) -> Call<CertificateDer<'static>> {
    let request = wit::CrossSignRequest {
        root: request.root.to_vec(),
        serial: request.serial.as_bytes().to_vec(),
        validity: validity(request.validity),
    };
    Box::new(|it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_cross_sign(&mut it.store, &request).await?;
            Ok(answer.map_err(refusal).and_then(certificate))
        })
    })
}

pub(crate) fn clean_up(request: &CleanUpRequest) -> Call<()> {
    let scope = match request.scope {
        CleanUpScope::Issuing => wit::CleanUpScope::Issuing,
        CleanUpScope::Everything => wit::CleanUpScope::Everything,
    };
    let keep: Vec<Vec<u8>> = request.keep.iter().map(|it| it.to_vec()).collect();
    Box::new(move |it| {
        Box::pin(async move {
            let provider = it.plugin.chancery_ca_provider();
            let answer = provider.call_clean_up(&mut it.store, scope, &keep).await?;
            Ok(answer.map_err(refusal))
        })
    })
}

/// What the plugin says of itself, at the moment `now`; nothing if it never does.
pub(crate) fn findings(now: Timestamp) -> Call<Vec<Finding>> {
    Box::new(move |it| {
        Box::pin(async move {
            let Some(findings) = &it.findings else {
                return Ok(Ok(Vec::new()));
            };
            let findings = findings.chancery_ca_findings();
            let said = findings.call_report(&mut it.store).await?;
            Ok(Ok(said.into_iter().map(|it| finding(it, now)).collect()))
        })
    })
}

impl types::Host for Guest {}

impl log::Host for Guest {
    fn write(&mut self, level: log::Level, message: String) -> wasmtime::Result<()> {
        let level = match level {
            log::Level::Trace => tracing::Level::TRACE,
            log::Level::Debug => tracing::Level::DEBUG,
            log::Level::Info => tracing::Level::INFO,
            log::Level::Warn => tracing::Level::WARN,
            log::Level::Error => tracing::Level::ERROR,
        };
        self.log.write(level, &message);
        Ok(())
    }
}

impl clock::Host for Guest {
    fn now(&mut self) -> wasmtime::Result<types::Timestamp> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Ok(i64::try_from(since.unwrap_or_default().as_secs())?)
    }
}

impl state::Host for Guest {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<Vec<u8>>> {
        Ok(self.table.value(&key).map(<[u8]>::to_vec))
    }

    fn set(
        &mut self,
        key: String,
        value: Vec<u8>,
    ) -> wasmtime::Result<Result<(), state::WriteError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(state::WriteError::ReadOnly));
        }
        let written = self.table.set(&key, value);
        Ok(written.map_err(|_full| state::WriteError::Full))
    }

    fn remove(&mut self, key: String) -> wasmtime::Result<Result<(), state::WriteError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(state::WriteError::ReadOnly));
        }
        self.table.remove(&key);
        Ok(Ok(()))
    }

    fn keys(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.table.names().map(str::to_owned).collect())
    }
}

impl keys::Host for Guest {
    async fn generate(
        &mut self,
        name: String,
        kind: types::KeyType,
    ) -> wasmtime::Result<Result<Resource<Key>, keys::KeyError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(keys::KeyError::ReadOnly));
        }
        match self.table.generate(&name, key_spec(kind)).await {
            Ok(key) => Ok(Ok(self.resources.push(Key(key))?)),
            Err(KeyRefusal::Exists) => Ok(Err(keys::KeyError::Exists)),
            Err(KeyRefusal::Full) => Ok(Err(keys::KeyError::Full)),
            Err(KeyRefusal::Failed(error)) => Err(wasmtime::Error::msg(error.to_string())),
        }
    }

    fn open(&mut self, name: String) -> wasmtime::Result<Option<Resource<Key>>> {
        let Some(key) = self.table.key(&name) else {
            return Ok(None);
        };
        Ok(Some(self.resources.push(Key(key))?))
    }

    fn remove(&mut self, name: String) -> wasmtime::Result<Result<(), keys::KeyError>> {
        if !self.writable {
            Counters::add(&self.counters.denied);
            return Ok(Err(keys::KeyError::ReadOnly));
        }
        self.table.remove_key(&name);
        Ok(Ok(()))
    }
}

impl keys::HostKey for Guest {
    fn kind(&mut self, key: Resource<Key>) -> wasmtime::Result<types::KeyType> {
        Ok(key_type(self.resources.get(&key)?.0.spec()))
    }

    fn public_key(&mut self, key: Resource<Key>) -> wasmtime::Result<Vec<u8>> {
        Ok(self.resources.get(&key)?.0.public_key_der().to_vec())
    }

    fn signature_algorithm(&mut self, key: Resource<Key>) -> wasmtime::Result<Vec<u8>> {
        Ok(self
            .resources
            .get(&key)?
            .0
            .signature_algorithm_der()
            .to_vec())
    }

    fn sign(&mut self, key: Resource<Key>, message: Vec<u8>) -> wasmtime::Result<Vec<u8>> {
        let key = Arc::clone(&self.resources.get(&key)?.0);
        Self::sign(self, &key, message).map_err(|error| wasmtime::Error::msg(error.to_string()))
    }

    fn drop(&mut self, key: Resource<Key>) -> wasmtime::Result<()> {
        self.resources.delete(key)?;
        Ok(())
    }
}

/// What a plugin says of itself, if it is fit to be shown and used.
fn about(said: wit::Description) -> Result<About, ProviderError> {
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
fn capabilities(said: wit::Capabilities) -> Capabilities {
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

fn option_value(value: OptionValue) -> wit::OptionValue {
    match value {
        OptionValue::Duration(it) => wit::OptionValue::Duration(it),
        OptionValue::Key(it) => wit::OptionValue::Key(it),
        OptionValue::Number(it) => wit::OptionValue::Number(it),
        OptionValue::Text(it) => wit::OptionValue::Text(it),
        OptionValue::Texts(it) => wit::OptionValue::Texts(it),
        OptionValue::Truth(it) => wit::OptionValue::Truth(it),
    }
}

/// What its texts hold the guard looks at, as at those of any provider.
fn finding(said: findings::Finding, now: Timestamp) -> Finding {
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

fn configure_error(said: wit::ConfigureError) -> ProviderError {
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

fn refusal(said: types::Error) -> ProviderError {
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

fn certificate(der: Vec<u8>) -> Result<CertificateDer<'static>, ProviderError> {
    sized(der, "a certificate").map(CertificateDer::from)
}

fn chain(ders: Vec<Vec<u8>>) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
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

fn intermediate_template(template: &IntermediateTemplate) -> wit::IntermediateTemplate {
    wit::IntermediateTemplate {
        common_name: template.common_name.clone(),
        uri: template.uri.clone(),
        serial: template.serial.as_bytes().to_vec(),
        validity: validity(template.validity),
        path_length: template.path_length,
    }
}

const fn validity(validity: Validity) -> types::Validity {
    types::Validity {
        not_before: validity.not_before.unix_seconds(),
        not_after: validity.not_after.unix_seconds(),
    }
}

/// The last two usages of RFC 5280 go with key agreement, and no template has them.
fn key_usages(usages: chancery_core::KeyUsages) -> wit::KeyUsages {
    use chancery_core::KeyUsages as Own;
    let pairs = [
        (Own::DIGITAL_SIGNATURE, wit::KeyUsages::DIGITAL_SIGNATURE),
        (Own::CONTENT_COMMITMENT, wit::KeyUsages::CONTENT_COMMITMENT),
        (Own::KEY_ENCIPHERMENT, wit::KeyUsages::KEY_ENCIPHERMENT),
        (Own::DATA_ENCIPHERMENT, wit::KeyUsages::DATA_ENCIPHERMENT),
        (Own::KEY_AGREEMENT, wit::KeyUsages::KEY_AGREEMENT),
        (Own::KEY_CERT_SIGN, wit::KeyUsages::KEY_CERT_SIGN),
        (Own::CRL_SIGN, wit::KeyUsages::CRL_SIGN),
    ];
    let none = wit::KeyUsages::default();
    pairs.into_iter().fold(none, |all, (own, theirs)| {
        if usages.contains(own) {
            all | theirs
        } else {
            all
        }
    })
}

const fn key_type(key: KeySpec) -> types::KeyType {
    match key {
        KeySpec::EcP256 => types::KeyType::EcP256,
        KeySpec::EcP384 => types::KeyType::EcP384,
        KeySpec::EcP521 => types::KeyType::EcP521,
        KeySpec::Ed25519 => types::KeyType::Ed25519,
        KeySpec::Rsa2048 => types::KeyType::Rsa2048,
        KeySpec::Rsa4096 => types::KeyType::Rsa4096,
    }
}

const fn key_spec(key: types::KeyType) -> KeySpec {
    match key {
        types::KeyType::EcP256 => KeySpec::EcP256,
        types::KeyType::EcP384 => KeySpec::EcP384,
        types::KeyType::EcP521 => KeySpec::EcP521,
        types::KeyType::Ed25519 => KeySpec::Ed25519,
        types::KeyType::Rsa2048 => KeySpec::Rsa2048,
        types::KeyType::Rsa4096 => KeySpec::Rsa4096,
    }
}

const FINDINGS: &str = "chancery:ca/findings@1.1.0";
const LONGEST_NAME: usize = 32;
const LONGEST_MESSAGE: usize = 1024;
/// No plugin puts its CA to sleep for longer by one answer.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const LONGEST_CHAIN: usize = 8;
const LARGEST_DER: usize = 16 << 10;
const MOST_PROBLEMS: usize = 64;
