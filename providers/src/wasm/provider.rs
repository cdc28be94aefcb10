//! The provider that stands in front of a plugin.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use chancery_core::{Secret, Timestamp};
use rustls_pki_types::CertificateDer;
use tokio::sync::Mutex;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::counters::{self, Counters, Listed};
use super::egress::{Egress, EgressLimits};
use super::file::PluginFile;
use super::import::{self, Given};
use super::lane::{Begins, Lane};
use super::log_tap::LogTap;
use super::options::WasmOptions;
use super::sandbox::{Sandbox, SandboxLimits, Work};
use super::schema;
use super::table::{Table, TableLimits};
use super::v1::{self, Configuration, Intermediate};
use crate::registry::Surroundings;
use crate::{
    AcceptIntermediateRequest, CaProvider, Capabilities, CleanUpRequest, ConfigureRequest,
    CrossSignRequest, DecodedOptions, Description, Finding, IntermediateAnswer,
    IntermediateRequest, KeySpec, LeafRequest, OptionMap, ProviderError, RootAnswer, RootRequest,
    SecretOptions, SignIntermediateRequest, SignedLeaf, Stops,
};

/// The name that selects this provider in a configuration.
pub(crate) const NAME: &str = "wasm";

/// A CA that is a plugin.
///
/// Made [empty](Self::new) it is told in its configuration which plugin to take; made
/// [of a plugin](Self::of) it has it already.
pub struct Wasm {
    surroundings: Surroundings,
    file: Option<PluginFile>,
    running: Option<Running>,
}

/// What there is once a plugin is configured.
struct Running {
    sandbox: Sandbox,
    capabilities: Capabilities,
    state: RwLock<State>,
    /// Held by a call that may change the state: one at a time.
    changing: Mutex<()>,
    retired: AtomicBool,
    _listed: Arc<Listed>,
}

/// The newest state, and how many there were before it.
#[derive(Clone)]
struct State {
    table: Table,
    generation: u64,
}

impl Wasm {
    /// An empty one, to be [configured](CaProvider::configure).
    #[must_use]
    pub fn new(surroundings: Surroundings) -> Self {
        Self {
            surroundings,
            file: None,
            running: None,
        }
    }

    /// One of this plugin, whatever file the configuration names.
    #[must_use]
    pub fn of(file: PluginFile) -> Self {
        Self {
            surroundings: Surroundings::default(),
            file: Some(file),
            running: None,
        }
    }

    /// The plugin, once it is loaded.
    #[must_use]
    pub const fn file(&self) -> Option<&PluginFile> {
        self.file.as_ref()
    }

    /// Makes an instance, configures it and drops it: what a call pays more that finds none
    /// ready, such as the first one after a crash. For benchmarks.
    ///
    /// # Errors
    /// `Refused` before it is configured, else those of any call.
    pub async fn make_instance(&self) -> Result<(), ProviderError> {
        let running = self.running()?;
        let State { table, generation } = running.state();
        let work = Work {
            begins: Begins::Here,
            table,
            generation,
            // One that may write is always fresh, and serves nobody else.
            writable: true,
        };
        running.sandbox.call(work, v1::nothing()).await?;
        Ok(())
    }

    fn running(&self) -> Result<&Running, ProviderError> {
        self.running
            .as_ref()
            .ok_or_else(|| ProviderError::refused("this CA is not configured"))
    }

    /// The plugin, for something of which it must have said that it can do it.
    fn able(
        &self,
        can: impl Fn(&Capabilities) -> bool,
        what: &str,
    ) -> Result<&Running, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        if can(&running.capabilities) {
            return Ok(running);
        }
        Err(ProviderError::refused(format!(
            "the plugin does not {what}"
        )))
    }
}

impl Running {
    fn check_alive(&self) -> Result<(), ProviderError> {
        if self.retired.load(Ordering::Acquire) {
            return Err(ProviderError::refused("this CA has been given up"));
        }
        Ok(())
    }

    fn state(&self) -> State {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.clone()
    }

    /// Makes a call that only reads the state.
    async fn ask<T: Send + 'static>(
        &self,
        begins: Begins,
        call: v1::Call<T>,
    ) -> Result<T, ProviderError> {
        let State { table, generation } = self.state();
        let work = Work {
            begins,
            table,
            generation,
            writable: false,
        };
        Ok(self.sandbox.call(work, call).await?.0)
    }

    /// Makes a call that may write to the state, which counts if the call and `settle`, which
    /// looks at its answer, succeed.
    async fn change<T: Send + 'static, A>(
        &self,
        call: v1::Call<T>,
        settle: impl FnOnce(T, &mut Table) -> Result<A, ProviderError>,
    ) -> Result<(A, Secret), ProviderError> {
        let State { table, generation } = self.state();
        let work = Work {
            begins: Begins::Apart,
            table,
            generation,
            writable: true,
        };
        let (answer, mut table) = self.sandbox.call(work, call).await?;
        let answer = settle(answer, &mut table)?;
        let sealed = table.seal()?;
        let generation = generation + 1;
        let state = State { table, generation };
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        Ok((answer, sealed))
    }
}

#[async_trait]
impl CaProvider for Wasm {
    fn describe(&self) -> Description {
        let capabilities = match (&self.running, &self.file) {
            (Some(running), _) => running.capabilities.clone(),
            (None, Some(file)) => file.capabilities().clone(),
            (None, None) => everything(),
        };
        Description::new(NAME, capabilities)
    }

    async fn configure(&mut self, request: &ConfigureRequest) -> Result<(), ProviderError> {
        DecodedOptions::decode(&request.options)?.check()?;
        let options = WasmOptions::parse(&request.options, &request.secrets)?;
        let file = match &self.file {
            Some(file) => file.clone(),
            None => {
                let path = options.locate(&self.surroundings)?;
                let cache = self.surroundings.cache_dir.as_deref();
                PluginFile::read(&path, options.sha256, cache).await?
            }
        };
        let running = set_up(&file, &options, request).await?;
        self.file = Some(file);
        self.running = Some(running);
        Ok(())
    }

    async fn root(&self, request: &RootRequest) -> Result<RootAnswer, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        let _changing = running.changing.lock().await;
        let (certificate, state) = running
            .change(v1::root(request), |certificate, _| Ok(certificate))
            .await?;
        Ok(RootAnswer { certificate, state })
    }

    async fn intermediate(
        &self,
        request: &IntermediateRequest,
    ) -> Result<IntermediateAnswer, ProviderError> {
        let running = self.able(
            |can| can.own_intermediate || can.external_intermediate,
            "make intermediates",
        )?;
        let _changing = running.changing.lock().await;
        let settle = |answer, table: &mut Table| {
            if let Intermediate::Csr(csr) = &answer {
                table.set_csr_key(Some(csr_key(csr)?));
            }
            Ok(answer)
        };
        let (answer, state) = running.change(v1::intermediate(request), settle).await?;
        Ok(match answer {
            Intermediate::Ready(chain) => IntermediateAnswer::Ready { chain, state },
            Intermediate::Csr(csr) => IntermediateAnswer::Csr { csr, state },
        })
    }

    async fn accept_intermediate(
        &self,
        request: &AcceptIntermediateRequest,
    ) -> Result<Secret, ProviderError> {
        let running = self.able(|can| can.external_intermediate, "take intermediates")?;
        let _changing = running.changing.lock().await;
        let State { table, .. } = running.state();
        let wanted = table
            .csr_key()
            .ok_or_else(|| ProviderError::refused("no intermediate was asked for"))?;
        let first = request
            .chain
            .first()
            .ok_or_else(|| ProviderError::refused("the chain is empty"))?;
        let Ok(([], parsed)) = X509Certificate::from_der(first) else {
            return Err(ProviderError::refused("the chain holds no certificate"));
        };
        if parsed.public_key().raw != wanted {
            return Err(ProviderError::refused(
                "the certificate is for another key than the one of the newest CSR",
            ));
        }
        let call = v1::accept_intermediate(request);
        let ((), state) = running.change(call, |(), _| Ok(())).await?;
        Ok(state)
    }

    async fn sign_leaf(
        &self,
        request: &LeafRequest,
    ) -> Result<Vec<CertificateDer<'static>>, ProviderError> {
        Ok(self.sign_leaf_vouched(request).await?.chain)
    }

    async fn sign_leaf_vouched(&self, request: &LeafRequest) -> Result<SignedLeaf, ProviderError> {
        let running = self.running()?;
        running.check_alive()?;
        let (chain, signed_by) = running.ask(Begins::Here, v1::sign_leaf(request)).await?;
        Ok(SignedLeaf { chain, signed_by })
    }

    async fn sign_intermediate(
        &self,
        request: &SignIntermediateRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let running = self.able(|can| can.sign_intermediate, "sign intermediates")?;
        let call = v1::sign_intermediate(request);
        running.ask(Begins::Here, call).await
    }

    async fn cross_sign(
        &self,
        request: &CrossSignRequest,
    ) -> Result<CertificateDer<'static>, ProviderError> {
        let running = self.able(|can| can.cross_sign, "cross-sign")?;
        running.ask(Begins::Here, v1::cross_sign(request)).await
    }

    async fn clean_up(&self, request: &CleanUpRequest) -> Result<(), ProviderError> {
        let running = self.running()?;
        let _changing = running.changing.lock().await;
        running.ask(Begins::Apart, v1::clean_up(request)).await?;
        running.retired.store(true, Ordering::Release);
        Ok(())
    }

    async fn findings(&self) -> Vec<Finding> {
        let (Some(running), Some(file)) = (&self.running, &self.file) else {
            return Vec::new();
        };
        let described = &file.0;
        if running.check_alive().is_err() || !described.loaded.prepared.says_findings() {
            return Vec::new();
        }
        let name = &described.about.name;
        match running.ask(Begins::Apart, v1::findings(now())).await {
            Ok(mut findings) => {
                for finding in &mut findings {
                    // Nobody shall take it for the agent's own word.
                    finding.subject = format!("plugin {name}: {}", finding.subject);
                }
                findings
            }
            Err(error) => vec![Finding::new(
                format!("plugin {name}"),
                format!("it does not say how it is: {error}"),
                "see the plugin's lines in the log",
                None,
                Stops::Nothing,
            )],
        }
    }
}

/// Configures a plugin and lets it prove that it can work.
async fn set_up(
    file: &PluginFile,
    options: &WasmOptions,
    request: &ConfigureRequest,
) -> Result<Running, ProviderError> {
    let about = &file.0.about;
    let given = Given::read(&request.options, &request.secrets, now())?;
    if !given.is_empty() && !about.capabilities.import_root {
        return Err(ProviderError::misconfigured(format!(
            "the plugin {} makes its own root: it takes no RootCert and no PrivateKey",
            about.name
        )));
    }
    let checked = schema::check(&about.options, &options.config).map_err(|problems| {
        let problems: Vec<String> = problems
            .iter()
            .map(|problem| format!("config.{}: {}", problem.option, problem.text))
            .collect();
        ProviderError::misconfigured(problems.join("; "))
    })?;
    let limits = TableLimits {
        bytes: options.max_state,
    };
    let mut table = match &request.state {
        Some(state) => Table::unseal(state, limits)?,
        None => Table::new(limits),
    };
    table.lend(checked.keys);
    table.lend(given.key.map(|key| (import::PRIVATE_KEY.to_owned(), key)));
    let configuration = Arc::new(Configuration::new(
        request.trust_domain.as_str(),
        request.datacenter.as_str(),
        given.root.as_deref(),
        checked.values,
    ));
    let (sandbox, listed) = sandbox(file, options)?;
    let work = || Work {
        begins: Begins::Apart,
        table: table.clone(),
        generation: 0,
        writable: false,
    };
    let call = v1::configure(Arc::clone(&configuration));
    let (claimed, _) = sandbox.call(work(), call).await?;
    let capabilities = agreed(&about.capabilities, claimed)?;
    sandbox.configure(configuration);
    sandbox.call(work(), v1::check()).await?;
    Ok(Running {
        sandbox,
        capabilities,
        state: RwLock::new(State {
            table,
            generation: 0,
        }),
        changing: Mutex::default(),
        retired: AtomicBool::new(false),
        _listed: listed,
    })
}

fn sandbox(
    file: &PluginFile,
    options: &WasmOptions,
) -> Result<(Sandbox, Arc<Listed>), ProviderError> {
    let described = &file.0;
    let log = Arc::new(LogTap::new(&*described.about.name));
    let egress = Arc::new(Egress::new(
        options.allow_http.clone(),
        options.http_ca_file.as_deref(),
        EgressLimits::default(),
        Arc::clone(&log),
    )?);
    let counters = Arc::new(Counters::default());
    let listed = counters::list(Listed {
        name: described.about.name.clone(),
        version: described.about.version.clone(),
        path: described.path.clone(),
        sha256: described.loaded.sha256.to_string(),
        counters: Arc::clone(&counters),
        egress: Arc::clone(&egress),
    });
    let limits = SandboxLimits {
        memory: options.max_memory,
        timeout: options.timeout,
    };
    let loaded = Arc::clone(&described.loaded);
    let lane = Lane::start()?;
    let sandbox = Sandbox::new(loaded, lane, limits, log, egress, counters);
    Ok((sandbox, listed))
}

/// What a plugin says it can do as configured, of what it can do at most.
fn agreed(most: &Capabilities, claimed: Capabilities) -> Result<Capabilities, ProviderError> {
    let pairs = [
        ("cross-sign", most.cross_sign, claimed.cross_sign),
        (
            "sign-intermediate",
            most.sign_intermediate,
            claimed.sign_intermediate,
        ),
        (
            "external-intermediate",
            most.external_intermediate,
            claimed.external_intermediate,
        ),
        (
            "own-intermediate",
            most.own_intermediate,
            claimed.own_intermediate,
        ),
        ("import-root", most.import_root, claimed.import_root),
        (
            "chooses-serials",
            most.chooses_serials,
            claimed.chooses_serials,
        ),
    ];
    if let Some((name, ..)) = pairs.iter().find(|(_, most, claimed)| *claimed && !most) {
        return Err(ProviderError::broken(format!(
            "the plugin claims the capability {name}, which its description does not have"
        )));
    }
    Ok(Capabilities {
        keys: most.keys.clone(),
        ..claimed
    })
}

/// What a plugin might do, before it is known which.
fn everything() -> Capabilities {
    Capabilities {
        cross_sign: true,
        sign_intermediate: true,
        external_intermediate: true,
        own_intermediate: true,
        import_root: true,
        chooses_serials: true,
        root_csr: false,
        needs_root_csr: false,
        keys: vec![
            KeySpec::EcP256,
            KeySpec::EcP384,
            KeySpec::EcP521,
            KeySpec::Ed25519,
            KeySpec::Rsa2048,
            KeySpec::Rsa4096,
        ],
    }
}

/// The public key of a plugin's CSR.
fn csr_key(csr: &[u8]) -> Result<Vec<u8>, ProviderError> {
    match X509CertificationRequest::from_der(csr) {
        Ok(([], parsed)) => Ok(parsed.certification_request_info.subject_pki.raw.to_vec()),
        _ => Err(ProviderError::broken(
            "the plugin answered with a CSR that cannot be read",
        )),
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    Timestamp::from_unix(0).saturating_add(since.unwrap_or_default())
}

/// Reads and checks, and opens no file.
pub(crate) fn check_options(
    options: &OptionMap,
    secrets: &SecretOptions,
) -> Result<(), ProviderError> {
    DecodedOptions::decode(options)?.check()?;
    WasmOptions::parse(options, secrets)?;
    Given::read(options, secrets, now()).map(drop)
}
